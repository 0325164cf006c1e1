package sidecar_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/guard"
	"chit/models"
)

// trusting makes a sidecar trust its own machine.
func trusting(c *guard.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// boundToken returns a token of the client, and what makes proofs for it.
func (c *car) boundToken() (token string, proof func(method, url string) string) {
	c.t.Helper()
	signer := apptest.NewSigner(c.t, "ES256", "")
	token = c.server.Do(signer.TokenRequest(c.server.URL, "my-machine-client", "my-secret")).Text("access_token")
	return token, func(method, url string) string { return signer.ProofFor(token, method, url) }
}

// ask sends a request with headers, "Name: value".
func (c *car) ask(method, path string, headers ...string) apptest.Answer {
	c.t.Helper()
	request, err := http.NewRequest(method, c.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	return c.server.Do(request)
}

// A proof is for the request that the proxy asks about.
func TestVerifyTheOriginalRequest(t *testing.T) {
	const public = "https://api.example"
	nginx := []string{"X-Original-Method: PUT", "X-Original-URI: /a%2Fb?c=d", "X-Forwarded-Proto: https", "X-Forwarded-Host: api.example"}
	traefik := []string{"X-Forwarded-Method: PUT", "X-Forwarded-Uri: /a%2Fb?c=d", "X-Forwarded-Proto: https", "X-Forwarded-Host: api.example"}
	envoy := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: api.example"}
	c := startWith(t, nil, trusting)
	token, proof := c.boundToken()
	for name, row := range map[string]struct {
		method, path, proof string
		headers             []string
		status              int
	}{
		"nginx":                     {"GET", "/verify?scope=openid", proof("PUT", public+"/a%2Fb"), nginx, 200},
		"nginx, another method":     {"GET", "/verify", proof("GET", public+"/a%2Fb"), nginx, 401},
		"nginx, another path":       {"GET", "/verify", proof("PUT", public+"/verify"), nginx, 401},
		"nginx, another host":       {"GET", "/verify", proof("PUT", "https://other.example/a%2Fb"), nginx, 401},
		"Traefik":                   {"GET", "/verify", proof("PUT", public+"/a%2Fb"), traefik, 200},
		"Envoy":                     {"PUT", "/verify/a%2Fb?c=d", proof("PUT", public+"/a%2Fb"), envoy, 200},
		"Envoy, the root":           {"PUT", "/verify/", proof("PUT", public+"/"), envoy, 200},
		"a proxy that says nothing": {"PUT", "/verify?scope=openid", proof("PUT", public+"/"), envoy, 401},
		"Envoy, another path":       {"PUT", "/verify/a%2Fb", proof("PUT", public+"/verify/a%2Fb"), envoy, 401},
		"both, the same":            {"GET", "/verify", proof("PUT", public+"/a%2Fb"), append(nginx, traefik[:2]...), 200},
		"the client's beside":       {"GET", "/verify", proof("PUT", public+"/evil"), append(traefik, "X-Original-URI: /evil"), 401},
		"the client's before":       {"GET", "/verify", proof("PUT", public+"/evil"), append([]string{"X-Original-URI: /evil"}, nginx...), 401},
		"the client's method":       {"GET", "/verify", proof("POST", public+"/a%2Fb"), append(traefik, "X-Original-Method: POST"), 401},
		"as a bearer token":         {"GET", "/verify", "", append(nginx, "Authorization: Bearer "+token), 400},
	} {
		headers := append([]string{"Authorization: DPoP " + token, "DPoP: " + row.proof}, row.headers...)
		if answer := c.ask(row.method, row.path, headers...); answer.Status != row.status {
			t.Errorf("%s: %d %v %s", name, answer.Status, answer.Header, c.log)
		}
	}
	if answer := c.ask("GET", "/verify", append(nginx, "Authorization: Bearer "+token)...); answer.Status != 401 || len(answer.Header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("as a bearer token: %d %v", answer.Status, answer.Header)
	}
	if strings.Contains(c.log.String(), token[5:]) {
		t.Error("the log has the token")
	}
	wary := startWith(t, nil, func(c *guard.Config) {})
	token, proof = wary.boundToken()
	if answer := wary.ask("GET", "/verify", append(nginx, "Authorization: DPoP "+token, "DPoP: "+proof("PUT", public+"/a%2Fb"))...); answer.Status != 401 {
		t.Errorf("headers of a stranger: %d", answer.Status)
	}
	if want := fmt.Sprintf(`"cause":"the DPoP proof is for another method (htm): the request is GET \"%s/verify\""`, wary.URL); !strings.Contains(wary.log.String(), want) {
		t.Errorf("the log does not say why: %s", wary.log)
	}
}

// In front of a service, the request itself is what a proof is for, and certificates of strangers are not passed on.
func TestUpstreamWithBoundTokens(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%d %q", len(r.Header.Values("Dpop")), r.Header.Get("Client-Cert"))
	}
	leaf := apptest.NewAuthority(t).Issue("a.example").Load(t).Leaf
	item := ":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":"
	for name, row := range map[string]struct {
		change func(*guard.Config)
		url    func(*car) string
		want   string
	}{
		"directly":       {func(*guard.Config) {}, func(c *car) string { return c.URL + "/a" }, `1 ""`},
		"with an origin": {func(c *guard.Config) { c.Origin = "https://api.example" }, func(*car) string { return "https://api.example/a" }, `1 ""`},
		"by a proxy":     {trusting, func(*car) string { return "https://public.example/a" }, `1 "` + item + `"`},
	} {
		c := startWith(t, echo, row.change)
		token, proof := c.boundToken()
		answer := c.ask("GET", "/a?b", "Authorization: DPoP "+token, "DPoP: "+proof("GET", row.url(c)), "Client-Cert: "+item, "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example")
		if answer.Status != 200 || answer.Body != row.want {
			t.Errorf("%s: %d %s %s", name, answer.Status, answer.Body, c.log)
		}
	}
	c := startWith(t, nil, trusting)
	c.server.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, tls_client_certificate_bound_access_tokens) VALUES ('certified', '" + models.HashSecret("x") + "', 'openid', true)")
	request, err := http.NewRequest("POST", c.server.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Client-Cert": {item}}
	request.SetBasicAuth("certified", "x")
	token := c.server.Do(request).Text("access_token")
	if answer := c.ask("GET", "/verify", "Authorization: Bearer "+token, "Client-Cert: "+item); answer.Status != 200 || answer.Header.Get("X-Chit-Client-Id") != "certified" {
		t.Errorf("by its certificate: %d %s", answer.Status, c.log)
	}
	if answer := c.ask("GET", "/verify", "Authorization: Bearer "+token); answer.Status != 401 {
		t.Errorf("without its certificate: %d", answer.Status)
	}
}
