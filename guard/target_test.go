package guard

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// The URL of a request is the one that its client sees.
func TestTarget(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	forwarded := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"public.example"}}
	for name, row := range map[string]struct {
		config Config
		uri    string
		peer   string
		tls    bool
		header http.Header
		want   string
	}{
		"plain":                          {Config{}, "/a/b?c=d", "192.0.2.1:1", false, nil, "http://api.example/a/b"},
		"by TLS":                         {Config{}, "/", "192.0.2.1:1", true, nil, "https://api.example/"},
		"an absolute request line":       {Config{}, "http://other.example/a%2Fb", "192.0.2.1:1", false, nil, "http://other.example/a%2Fb"},
		"escapes as they were sent":      {Config{}, "/a%2fb//c/../d", "192.0.2.1:1", false, nil, "http://api.example/a%2fb//c/../d"},
		"headers of a stranger":          {Config{Proxies: proxies}, "/a", "192.0.2.1:1", false, forwarded, "http://api.example/a"},
		"headers without proxies":        {Config{}, "/a", "10.0.0.1:1", false, forwarded, "http://api.example/a"},
		"headers of a proxy":             {Config{Proxies: proxies}, "/a", "10.0.0.1:1", false, forwarded, "https://public.example/a"},
		"headers of a proxy by IPv6":     {Config{Proxies: proxies}, "/a", "[::1]:1", false, forwarded, "https://public.example/a"},
		"by an IPv4 address in IPv6":     {Config{Proxies: proxies}, "/a", "[::ffff:10.0.0.1]:1", false, forwarded, "https://public.example/a"},
		"a proxy without headers":        {Config{Proxies: proxies}, "/a", "10.0.0.1:1", false, nil, "http://api.example/a"},
		"what the client has sent first": {Config{Proxies: proxies}, "/a", "10.0.0.1:1", false, http.Header{"X-Forwarded-Host": {"evil.example, public.example"}}, "http://public.example/a"},
		"a WebSocket":                    {Config{Proxies: proxies}, "/a", "10.0.0.1:1", false, http.Header{"X-Forwarded-Proto": {"wss"}}, "https://api.example/a"},
		"with an origin":                 {Config{Proxies: proxies, Origin: "https://own.example/"}, "/a?b", "10.0.0.1:1", false, forwarded, "https://own.example/a"},
		"over a socket of the system":    {Config{Proxies: proxies}, "/a", "@", false, forwarded, "http://api.example/a"},
	} {
		request := httptest.NewRequest("GET", row.uri, nil)
		if request.Host == "example.com" {
			request.Host = "api.example"
		}
		request.RemoteAddr = row.peer
		if row.header != nil {
			request.Header = row.header.Clone()
		}
		if request.TLS = nil; row.tls {
			request.TLS = &tls.ConnectionState{}
		}
		request.URL.Path = "/cut" // by a handler in front
		if got := (&Guard{config: row.config}).target(request); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}
