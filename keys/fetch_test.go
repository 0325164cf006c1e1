package keys_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/keys"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// serve starts a server with TLS, and returns it with the pool of its authority.
func serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server, pool
}

// Which answers are key documents.
func TestFetch(t *testing.T) {
	document := apptest.JWKS(apptest.NewSigner(t, "ES256", "k1"))
	var server *httptest.Server
	server, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/keys", "/text":
			if r.URL.Path == "/text" {
				w.Header().Set("Content-Type", "text/plain")
			}
			fmt.Fprint(w, document)
		case "/moved":
			http.Redirect(w, r, "/keys", http.StatusFound)
		case "/large":
			fmt.Fprint(w, `{"keys":[`+strings.Repeat(" ", 64<<10)+`]}`)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<10)); err != nil {
					return
				}
			}
		case "/slow":
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // an answer could still arrive while the client closes the connection
		case "/html":
			fmt.Fprint(w, "<html>")
		case "/none":
			fmt.Fprint(w, `{"keys":[]}`)
		case "/issuer/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"%s/issuer","jwks_uri":"%s/keys"}`, server.URL, server.URL)
		case "/impostor/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"%s/issuer","jwks_uri":"%s/keys"}`, server.URL, server.URL)
		case "/insecure/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"%s/insecure","jwks_uri":"http://example.com/keys"}`, server.URL)
		default:
			http.NotFound(w, r)
		}
	})
	fetcher := keys.NewFetcher(pool, false)
	for _, row := range []struct {
		source keys.Source
		want   string // an error, or the kid
	}{
		{keys.Source{URL: server.URL + "/keys"}, "k1"},
		{keys.Source{URL: server.URL + "/text"}, "k1"},
		{keys.Source{URL: server.URL + "/none"}, ""},
		{keys.Source{Issuer: server.URL + "/issuer"}, "k1"},
		{keys.Source{URL: server.URL + "/moved"}, "is 302: only 200 counts"},
		{keys.Source{URL: server.URL + "/missing"}, "is 404"},
		{keys.Source{URL: server.URL + "/large"}, "larger than 65536"},
		{keys.Source{URL: server.URL + "/endless"}, "larger than 65536"},
		{keys.Source{URL: server.URL + "/slow"}, "deadline exceeded"},
		{keys.Source{URL: server.URL + "/html"}, "is not a JSON object"},
		{keys.Source{Issuer: server.URL + "/impostor"}, "is that of the issuer"},
		{keys.Source{Issuer: server.URL + "/insecure"}, "does not begin with https://"},
		{keys.Source{Issuer: server.URL + "/nobody"}, "is 404"},
		{keys.Source{Issuer: "spiffe://example.org"}, "does not begin with https://"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		set, err := fetcher.Fetch(ctx, row.source)
		cancel()
		got := ids(set, nil)
		if err != nil {
			got = err.Error()
		}
		if got != row.want && (err == nil || !strings.Contains(got, row.want)) {
			t.Errorf("%+v: %s, want %s", row.source, got, row.want)
		}
	}
	if _, err := keys.NewFetcher(nil, false).Fetch(t.Context(), keys.Source{URL: server.URL + "/keys"}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that is not trusted: %v", err)
	}
}

// Spring CVE-2026-22752: a jwks_uri could make the server ask services of its own network. Here no private
// address is asked, whatever the name is, unless a setting allows it.
func TestSpringCVE202622752RequestsToPrivateAddresses(t *testing.T) {
	for _, host := range []string{
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::]", "[fe80::1]", "[fd00::1]",
		"[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "224.0.0.1", "255.255.255.255", "198.18.0.1",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := keys.NewFetcher(nil, false).Fetch(ctx, keys.Source{URL: "https://" + host + "/keys"})
		cancel()
		if err == nil || !strings.Contains(err.Error(), "is a private address: CHIT_JWKS_PRIVATE=on allows it") {
			t.Errorf("%s: %v", host, err)
		}
	}
	server, pool := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) })
	if _, err := keys.NewFetcher(pool, false).Fetch(t.Context(), keys.Source{URL: server.URL}); err != nil {
		t.Errorf("this machine by its own address: %v", err)
	}
	// A name counts by what it resolves to.
	name, err := os.Hostname()
	addresses, lookup := net.LookupIP(name)
	if err != nil || lookup != nil || !addresses[0].IsLoopback() && !addresses[0].IsPrivate() {
		t.Logf("no name of a private address: %q is %v", name, addresses)
		return
	}
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	if _, err := keys.NewFetcher(pool, false).Fetch(t.Context(), keys.Source{URL: "https://" + name + port}); err == nil || !strings.Contains(err.Error(), "private address") {
		t.Errorf("%s: %v", name, err)
	}
}

// The setting for private addresses.
func TestFetchFromPrivateAddresses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := keys.NewFetcher(nil, true).Fetch(ctx, keys.Source{URL: "https://10.255.255.1/keys"})
	if err == nil || strings.Contains(err.Error(), "private address") {
		t.Errorf("%v", err)
	}
}

func TestCheckURL(t *testing.T) {
	for text, fine := range map[string]bool{
		"https://auth.example.com/keys": true, "https://auth.example.com:8443/keys?x=y": true, "http://localhost:8080/k": true,
		"http://127.0.0.1/k": true, "http://[::1]:8080/k": true, "https://10.0.0.1/k": true,
		"": false, "keys": false, "https://": false, "https:///k": false, "http://auth.example.com/keys": false, "ftp://localhost/": false,
		"file:///etc/passwd": false, "https://user:pw@example.com/": false, "https://example.com/#x": false, "https://:443/": false,
		"http://localhost.example.com/": false, "http://0.0.0.0/": false, "https://a b/": false,
	} {
		if err := keys.CheckURL(text); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
}
