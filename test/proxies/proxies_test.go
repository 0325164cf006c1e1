// Package proxies tests chit guard behind real proxies, with the configurations of docs/guard.
package proxies

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/app/cli"
	"chit/guard"
	"chit/models"
	"chit/sidecar"
)

func TestMain(m *testing.M) { apptest.RunWithChit(m, cli.Main) }

// The addresses in the documents, which the tests replace.
const (
	guardAddress   = "127.0.0.1:8090"
	proxyAddress   = "127.0.0.1:8000"
	serviceAddress = "127.0.0.1:3000"
)

// setup is a service behind a proxy that asks a sidecar.
type setup struct {
	t       *testing.T
	server  *apptest.Server
	guard   *httptest.Server
	service *httptest.Server
	dir     string
	address string // of the proxy
}

// seen is what the service has received.
type seen struct {
	Method string
	Header http.Header
	Body   string
}

// newSetup starts everything but the proxy. The sidecar passes requests on if upstream is set.
func newSetup(t *testing.T, upstream bool) *setup {
	t.Helper()
	issuer := "http://" + apptest.FreeAddress(t)
	s := &setup{t: t, dir: t.TempDir(), address: apptest.FreeAddress(t)}
	s.server = apptest.Embedded(t, "--issuer="+issuer, "--listen="+strings.TrimPrefix(issuer, "http://"), "--trusted-proxies=127.0.0.1")
	for id, scopes := range map[string]string{"reader": "openid", "scopeless": "", "writer": "write"} {
		s.server.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + id + "', '" + models.HashSecret(id) + "', '" + scopes + "')")
	}
	s.service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the test compares it
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.Header, string(body)})
	}))
	t.Cleanup(s.service.Close)
	options := sidecar.Options{
		Guard: guard.Config{
			Issuer: issuer, ClientID: "my-resource-server", ClientSecret: "my-resource-secret",
			Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, NonceKey: strings.Repeat("k", 32),
		},
		Log: slog.New(slog.DiscardHandler),
	}
	if upstream {
		options.Upstream, options.Scopes = parse(t, s.service.URL), "openid"
	}
	car, err := sidecar.New(options)
	if err != nil {
		t.Fatal(err)
	}
	s.guard = httptest.NewServer(car)
	t.Cleanup(func() {
		s.guard.Close()
		car.Close()
	})
	return s
}

// write writes the block of a document with this language to a file, with the addresses of the setup, and
// returns its path.
func (s *setup) write(document, language, name string, replace ...string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join("../../docs/guard", document))
	if err != nil {
		s.t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindSubmatch(content)
	if block == nil {
		s.t.Fatalf("%s has no block %s", document, language)
	}
	text := strings.NewReplacer(append(replace, guardAddress, host(s.guard), proxyAddress, s.address, serviceAddress, host(s.service))...).Replace(string(block[1]))
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func host(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

// call sends a request through the proxy. headers are names and values.
func (s *setup) call(method, body string, headers ...string) (*http.Response, seen) {
	s.t.Helper()
	request, err := http.NewRequest(method, "http://"+s.address+"/invoices?x=1", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header[headers[i]] = append(request.Header[headers[i]], headers[i+1])
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var got seen
	if text, err := io.ReadAll(response.Body); err == nil && response.StatusCode == http.StatusOK {
		_ = json.Unmarshal(text, &got) // got stays empty, which the test reports
	}
	return response, got
}

// test sends good and bad requests through the proxy.
func (s *setup) test() {
	s.t.Helper()
	s.refusals()
	s.identity()
	s.bound()
	s.guard.CloseClientConnections()
	s.guard.Close()
	if response, _ := s.call("GET", "", "Authorization", "Bearer "+s.server.Token("reader", "reader")); response.StatusCode < 500 {
		s.t.Errorf("the guard is away: %d", response.StatusCode)
	}
}

func (s *setup) refusals() {
	s.t.Helper()
	reader, writer := s.server.Token("reader", "reader"), s.server.Token("writer", "writer")
	dead := s.server.Token("reader", "reader")
	s.server.Post("/revoke", "reader", "reader", "token="+dead)
	for _, row := range []struct {
		name      string
		headers   []string
		status    int
		challenge string
	}{
		{"no token", nil, 401, `Bearer realm="chit"`},
		{"identity without a token", []string{"X-Chit-Client-Id", "reader"}, 401, `Bearer realm="chit"`},
		{"another scheme", []string{"Authorization", "Basic eDp5"}, 401, `Bearer realm="chit"`},
		{"a dead token", []string{"Authorization", "Bearer " + dead}, 401, `Bearer realm="chit", error="invalid_token"`},
		{"rubbish", []string{"Authorization", "Bearer x"}, 401, `Bearer realm="chit", error="invalid_token"`},
		{"a missing scope", []string{"Authorization", "Bearer " + writer}, 403, `Bearer realm="chit", error="insufficient_scope", scope="openid"`},
	} {
		response, _ := s.call("GET", "", row.headers...)
		if response.StatusCode != row.status || response.Header.Get("WWW-Authenticate") != row.challenge {
			s.t.Errorf("%s: %d %v", row.name, response.StatusCode, response.Header)
		}
	}
	for name, headers := range map[string][]string{
		"two tokens":  {"Authorization", "Bearer " + reader + " " + reader},
		"two headers": {"Authorization", "Bearer " + reader, "Authorization", "Bearer " + writer},
	} {
		if response, got := s.call("GET", "", headers...); response.StatusCode != 400 && response.StatusCode != 401 {
			s.t.Errorf("%s: %d %v", name, response.StatusCode, got)
		}
	}
}

// identity checks what the service learns about the caller, who tries to forge it.
func (s *setup) identity() {
	s.t.Helper()
	forged := []string{"X-Chit-Client-Id", "root", "X-Chit-Client-Id", "admin", "X-Chit-Scope", "admin", "X-Chit-Jti", "x",
		"x_chit_client_id", "root", "X_Chit_Scope", "admin", "Connection", "X-Chit-Client-Id, X-Chit-Scope"}
	response, got := s.call("POST", "the body", append(forged, "Authorization", "Bearer "+s.server.Token("reader", "reader"))...)
	if response.StatusCode != 200 || got.Method != "POST" || got.Body != "the body" {
		s.t.Fatalf("a good request: %d %+v", response.StatusCode, got)
	}
	for name, want := range map[string]string{"X-Chit-Client-Id": "reader", "X-Chit-Scope": "openid"} {
		if values := got.Header.Values(name); len(values) != 1 || values[0] != want {
			s.t.Errorf("%s is %q", name, values)
		}
	}
	if values := got.Header.Values("X-Chit-Jti"); len(values) != 1 || len(values[0]) != 64 {
		s.t.Errorf("X-Chit-Jti is %q", values)
	}
	for name := range got.Header {
		if strings.Contains(strings.ToLower(name), "x_chit") {
			s.t.Errorf("the service gets %s", name)
		}
	}
}

// bound sends requests with a token that is bound to a key. The proof is for what the caller sees of the service.
func (s *setup) bound() {
	s.t.Helper()
	signer := apptest.NewSigner(s.t, "ES256", "")
	token := s.server.Do(signer.TokenRequest(s.server.URL, "reader", "reader")).Text("access_token")
	proof := func(method, url, nonce string) string {
		return signer.Proof(apptest.ProofClaims(method, url).With(apptest.Claims{"ath": apptest.TokenHash(token), "nonce": nonce}))
	}
	here := "http://" + s.address + "/invoices"
	send := func(proof string, more ...string) *http.Response {
		response, _ := s.call("PUT", "body", append(more, "Authorization", "DPoP "+token, "Dpop", proof)...)
		return response
	}
	asked := send(proof("PUT", here, ""))
	nonce := asked.Header.Get("DPoP-Nonce")
	if asked.StatusCode != 401 || nonce == "" || !strings.Contains(asked.Header.Get("WWW-Authenticate"), `DPoP realm="chit", error="use_dpop_nonce"`) {
		s.t.Errorf("without a nonce: %d %v", asked.StatusCode, asked.Header)
	}
	right := proof("PUT", here, nonce)
	if response := send(right); response.StatusCode != 200 {
		s.t.Errorf("with a proof: %d %v", response.StatusCode, response.Header)
	}
	const evil = "http://evil.example/other"
	spoofed := []string{"X-Original-Method", "GET", "X-Original-Uri", "/other", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/other", "X-Forwarded-Host", "evil.example"}
	for name, response := range map[string]*http.Response{
		"again":                       send(right),
		"for another method":          send(proof("GET", here, nonce)),
		"for another path":            send(proof("PUT", here+"/", nonce)),
		"for another host":            send(proof("PUT", evil, nonce)),
		"for what the caller says":    send(proof("GET", evil, nonce), spoofed...),
		"for some of what it says":    send(proof("PUT", "http://"+s.address+"/other", nonce), spoofed[2:4]...),
		"for the rest of it":          send(proof("PUT", "http://"+s.address+"/other", nonce), spoofed[6:8]...),
		"for the method that it says": send(proof("GET", here, nonce), "X-Forwarded-Method", "GET"),
	} {
		if response.StatusCode != 401 || !strings.Contains(response.Header.Get("WWW-Authenticate"), `error="invalid_dpop_proof"`) {
			s.t.Errorf("%s: %d %v", name, response.StatusCode, response.Header)
		}
	}
	if response, _ := s.call("GET", "", "Authorization", "Bearer "+token); response.StatusCode != 401 {
		s.t.Errorf("as a bearer token: %d", response.StatusCode)
	}
}
