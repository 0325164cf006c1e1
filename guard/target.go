package guard

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// FromProxy reports whether a request comes from one of Config.Proxies.
func (g *Guard) FromProxy(r *http.Request) bool {
	if len(g.config.Proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, proxy := range g.config.Proxies {
		if proxy.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// target returns the URL of a request as its client sees it, without the query. The path is that of the request line,
// because a handler in front may have cut a prefix off.
func (g *Guard) target(r *http.Request) string {
	path := pathOf(r)
	if g.config.Origin != "" {
		return strings.TrimSuffix(g.config.Origin, "/") + path
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if g.FromProxy(r) {
		if forwarded := lastOf(r.Header.Values("X-Forwarded-Proto")); forwarded != "" {
			scheme = strings.Replace(strings.ToLower(forwarded), "ws", "http", 1) // Traefik writes wss for a WebSocket
		}
		if forwarded := lastOf(r.Header.Values("X-Forwarded-Host")); forwarded != "" {
			host = forwarded
		}
	}
	return scheme + "://" + host + path
}

// pathOf returns the path of the request line, which may also be a whole URL (RFC 9112 §3.2.2).
func pathOf(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	if whole, err := url.Parse(path); err == nil && whole.Host != "" {
		return whole.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// lastOf returns the last value of a header, which the nearest proxy has written.
func lastOf(headers []string) string {
	if len(headers) == 0 {
		return ""
	}
	last := headers[len(headers)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
