package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/guard"
	"chit/models"
)

const secret = "s3cret"

// stage is a server with a guard, and a client whose tokens are bound as the test says.
type stage struct {
	*testing.T
	server *apptest.Server
	guard  *guard.Guard
	signer *apptest.Signer
	cause  error // why the last request was refused
}

// newStage starts a server and a guard. columns and values are SQL of the client "job".
func newStage(t *testing.T, columns, values string, change ...func(*guard.Config)) *stage {
	t.Helper()
	address := apptest.FreeAddress(t)
	s := &stage{T: t, server: apptest.Embedded(t, "--listen="+address, "--issuer=http://"+address, "--trusted-proxies=127.0.0.1"), signer: apptest.NewSigner(t, "ES256", "")}
	hash := models.HashSecret(secret)
	s.server.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + hash + "', true)")
	s.server.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes" + columns + ") VALUES ('job', '" + hash + "', 'read'" + values + ")")
	config := guard.Config{Issuer: "http://" + address, ClientID: "api", ClientSecret: secret, OnRefusal: func(_ *http.Request, r guard.Refusal) { s.cause = r.Err }}
	for _, c := range change {
		c(&config)
	}
	g, err := guard.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	s.guard = g
	return s
}

// token returns a token of the client, for what it shows.
func (s *stage) token(header http.Header) string {
	s.Helper()
	request, err := http.NewRequest(http.MethodPost, s.server.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		s.Fatal(err)
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("job", secret)
	answer := s.server.Do(request)
	if answer.Status != 200 {
		s.Fatalf("no token: %d %s", answer.Status, answer.Body)
	}
	return answer.Text("access_token")
}

// boundToken returns a token that is bound to the signer's key.
func (s *stage) boundToken() string {
	s.Helper()
	return s.token(http.Header{"Dpop": {s.signer.Proof(apptest.ProofClaims("POST", s.server.URL+"/token"))}})
}

// send sends a request through the guard.
func (s *stage) send(request *http.Request) *httptest.ResponseRecorder {
	s.Helper()
	s.cause = nil
	answer := httptest.NewRecorder()
	s.guard.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := guard.FromContext(r.Context()); !ok || token.ClientID != "job" {
			s.Errorf("the handler gets %+v", token)
		}
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(answer, request)
	return answer
}

const (
	apiURL = "http://api.example/v1/invoices"
	algs   = `algs="ES256 RS256 PS256 EdDSA Ed25519"`
)

// get returns a request with these headers.
func get(authorization string, proofs ...string) *http.Request {
	request := httptest.NewRequest(http.MethodGet, apiURL+"?page=2", nil)
	request.Header.Set("Authorization", authorization)
	request.Header["Dpop"] = proofs
	return request
}

func TestDPoPBoundTokens(t *testing.T) {
	s := newStage(t, "", "")
	bound, other, plain := s.boundToken(), s.boundToken(), s.token(nil)
	stranger := apptest.NewSigner(t, "ES256", "")
	claims := func(change apptest.Claims) apptest.Claims {
		return apptest.ProofClaims("GET", apiURL).With(apptest.Claims{"ath": apptest.TokenHash(bound)}).With(change)
	}
	right := func() string { return s.signer.Proof(claims(nil)) }
	replayed := right()
	const wrong = `DPoP realm="chit", error="invalid_dpop_proof", ` + algs
	for _, row := range []struct {
		name      string
		request   *http.Request
		status    int
		challenge string
		cause     error
	}{
		{"right", get("DPoP "+bound, right()), 204, "", nil},
		{"the scheme in other letters", get("dpop "+bound, right()), 204, "", nil},
		{"once", get("DPoP "+bound, replayed), 204, "", nil},
		{"again", get("DPoP "+bound, replayed), 401, wrong, guard.ErrProofUsed},
		{"as a bearer token", get("Bearer " + bound), 401, `Bearer realm="chit", error="invalid_token"`, guard.ErrBound},
		{"as a bearer token with a proof", get("Bearer "+bound, right()), 401, `Bearer realm="chit", error="invalid_token"`, guard.ErrBound},
		{"without a proof", get("DPoP " + bound), 401, wrong, guard.ErrProofMissing},
		{"two proofs", get("DPoP "+bound, right(), right()), 401, wrong, guard.ErrProofTwice},
		{"by another key", get("DPoP "+bound, stranger.Proof(claims(nil))), 401, wrong, guard.ErrProofOtherKey},
		{"for another token", get("DPoP "+other, right()), 401, wrong, guard.ErrProofToken},
		{"for no token", get("DPoP "+bound, s.signer.Proof(claims(apptest.Claims{"ath": nil}))), 401, wrong, guard.ErrProofToken},
		{"for another method", get("DPoP "+bound, s.signer.Proof(claims(apptest.Claims{"htm": "POST"}))), 401, wrong, guard.ErrProofMethod},
		{"for another URL", get("DPoP "+bound, s.signer.Proof(claims(apptest.Claims{"htu": "http://api.example/v1"}))), 401, wrong, guard.ErrProofURL},
		{"old", get("DPoP "+bound, s.signer.Proof(claims(apptest.Claims{"iat": 1}))), 401, wrong, guard.ErrProofTime},
		{"a token that is not bound", get("DPoP "+plain, s.signer.Proof(claims(apptest.Claims{"ath": apptest.TokenHash(plain)}))), 401, `DPoP realm="chit", error="invalid_token", ` + algs, nil},
		{"an unknown token", get("DPoP x", right()), 401, `DPoP realm="chit", error="invalid_token", ` + algs, guard.ErrInactive},
		{"no token", get("DPoP ", right()), 400, `DPoP realm="chit", error="invalid_request", ` + algs, nil},
		{"a bearer token as before", get("Bearer "+plain, "rubbish"), 204, "", nil},
	} {
		answer := s.send(row.request)
		if answer.Code != row.status || answer.Header().Get("WWW-Authenticate") != row.challenge || row.cause != nil && !errors.Is(s.cause, row.cause) {
			t.Errorf("%s: %d %q %v", row.name, answer.Code, answer.Header().Values("WWW-Authenticate"), s.cause)
		}
		if answer.Header().Get("DPoP-Nonce") != "" {
			t.Errorf("%s: a nonce that nobody has asked for", row.name)
		}
	}
	if got := s.send(get("Bearer " + bound)).Header().Values("WWW-Authenticate"); len(got) != 2 || got[1] != "DPoP "+algs {
		t.Errorf("as a bearer token: %q", got)
	}
	if _, refusal := s.guard.CheckRequest(get("Bearer "+plain), "read  read"); refusal != nil {
		t.Errorf("scopes in one text: %v", refusal.Err)
	}
	if _, refusal := s.guard.CheckRequest(get("Bearer "+plain), "read write"); refusal == nil || refusal.Status != 403 || refusal.Scope != "read write" {
		t.Errorf("a scope that is missing: %+v", refusal)
	}
	if token, err := s.guard.Check(context.Background(), bound); !errors.Is(err, guard.ErrBound) || !errors.Is(err, guard.ErrInactive) || token.ID != "" {
		t.Errorf("Check: %v %v", token, err)
	}
}

// A proof must be for the address of this service, whatever the request says.
func TestProofsForThisService(t *testing.T) {
	s := newStage(t, "", "", func(c *guard.Config) { c.Origin = "https://api.example/" })
	bound := s.boundToken()
	proof := func(url string) string {
		return s.signer.Proof(apptest.ProofClaims("GET", url).With(apptest.Claims{"ath": apptest.TokenHash(bound)}))
	}
	if answer := s.send(get("DPoP "+bound, proof("https://api.example/v1/invoices"))); answer.Code != 204 {
		t.Errorf("%d %v", answer.Code, s.cause)
	}
	// A service that got the proof passes it on, with its own name as Host.
	passed := get("DPoP "+bound, proof("https://evil.example/v1/invoices"))
	passed.Host = "evil.example"
	passed.Header.Set("X-Forwarded-Host", "evil.example")
	if answer := s.send(passed); answer.Code != 401 || !errors.Is(s.cause, guard.ErrProofURL) {
		t.Errorf("%d %v", answer.Code, s.cause)
	}
}

func TestDPoPNonces(t *testing.T) {
	key := strings.Repeat("k", 32)
	s := newStage(t, "", "", func(c *guard.Config) { c.NonceKey = key })
	another, err := guard.New(guard.Config{Issuer: s.server.URL, ClientID: "api", ClientSecret: secret, NonceKey: key})
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	bound := s.boundToken()
	ask := func(nonce any) *http.Request {
		return get("DPoP "+bound, s.signer.Proof(apptest.ProofClaims("GET", apiURL).With(apptest.Claims{"ath": apptest.TokenHash(bound), "nonce": nonce})))
	}
	var nonce string
	for _, wrong := range []any{nil, "", "x", 7} {
		answer := s.send(ask(wrong))
		if nonce = answer.Header().Get("DPoP-Nonce"); answer.Code != 401 || len(nonce) != 22 ||
			answer.Header().Get("WWW-Authenticate") != `DPoP realm="chit", error="use_dpop_nonce", `+algs {
			t.Errorf("%v: %d %v", wrong, answer.Code, answer.Header())
		}
	}
	if answer := s.send(ask(nonce)); answer.Code != 204 || answer.Header().Get("DPoP-Nonce") == "" {
		t.Errorf("%d %v %v", answer.Code, answer.Header(), s.cause)
	}
	if _, refusal := another.CheckRequest(ask(nonce), "read"); refusal != nil {
		t.Errorf("at a guard with the same key: %v", refusal.Err)
	}
	if answer := s.send(get("Bearer " + s.token(nil))); answer.Code != 204 || answer.Header().Get("DPoP-Nonce") != "" {
		t.Errorf("a bearer token: %d %v", answer.Code, answer.Header())
	}
}

func TestCertificateBoundTokens(t *testing.T) {
	s := newStage(t, ", tls_client_certificate_bound_access_tokens", ", true", func(c *guard.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	certificate, other := apptest.NewAuthority(t).Issue("a.example"), apptest.NewAuthority(t).Issue("a.example")
	leaf, foreign := certificate.Load(t).Leaf, other.Load(t).Leaf
	header := func(der []byte) http.Header {
		return http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(der) + ":"}}
	}
	bound := s.token(header(leaf.Raw))
	from := func(peer string, header http.Header, state *tls.ConnectionState) *http.Request {
		request := get("Bearer " + bound)
		for name, values := range header {
			request.Header[name] = values
		}
		request.RemoteAddr, request.TLS = peer, state
		return request
	}
	const client, proxy = "192.0.2.7:1234", "[::ffff:198.51.100.9]:1234"
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, foreign}}
	for _, row := range []struct {
		name    string
		request *http.Request
		status  int
	}{
		{"by the connection", from(client, nil, shown), 204},
		{"another one by the connection", from(client, nil, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{foreign, leaf}}), 401},
		{"none", from(client, nil, nil), 401},
		{"none by TLS", from(client, nil, &tls.ConnectionState{}), 401},
		{"by the header of a stranger", from(client, header(leaf.Raw), nil), 401},
		{"by the header of a proxy", from(proxy, header(leaf.Raw), nil), 204},
		{"another one by the header of a proxy", from(proxy, header(foreign.Raw), nil), 401},
		{"a proxy's own one", from(proxy, nil, shown), 401},
		{"a malformed header of a proxy", from(proxy, http.Header{"Client-Cert": {"x"}}, shown), 401},
		{"two headers", from(proxy, http.Header{"Client-Cert": {header(leaf.Raw).Get("Client-Cert"), header(leaf.Raw).Get("Client-Cert")}}, nil), 401},
	} {
		answer := s.send(row.request)
		if answer.Code != row.status || row.status == 401 && (answer.Header().Get("WWW-Authenticate") != `Bearer realm="chit", error="invalid_token"` || !errors.Is(s.cause, guard.ErrBound)) {
			t.Errorf("%s: %d %v %v", row.name, answer.Code, answer.Header(), s.cause)
		}
	}
}

// A token for another resource server is refused, also if the authorization server tells about it.
func TestAudience(t *testing.T) {
	const own, other = "https://api.example", "https://other.example"
	for resources, want := range map[string]map[string]int{
		"NULL":                        {own: 204, "": 204},
		"'" + own + "'":               {own: 204, "": 204},
		"'" + other + " " + own + "'": {own: 204, "": 204},
		"'" + other + "'":             {own: 401, "": 204},
		"'" + own + "/'":              {own: 401, "": 204},
	} {
		for resource, status := range want {
			s := newStage(t, ", allowed_resources", ", "+resources, func(c *guard.Config) { c.Resource = resource })
			token := s.token(nil)
			for range 2 { // asked for, and kept
				if answer := s.send(get("Bearer " + token)); answer.Code != status || status == 401 && !errors.Is(s.cause, guard.ErrOtherAudience) {
					t.Errorf("%s at %q: %d %v", resources, resource, answer.Code, s.cause)
				}
			}
			got, err := s.guard.Check(t.Context(), token)
			if (err == nil) != (status == 204) || err != nil && (!errors.Is(err, guard.ErrInactive) || got.ID != "") {
				t.Errorf("%s at %q: Check: %v %v", resources, resource, got, err)
			}
			if err == nil && strings.Join(got.Audience, " ") != strings.Trim(strings.ReplaceAll(resources, "NULL", ""), "'") {
				t.Errorf("%s: audience %q", resources, got.Audience)
			}
		}
	}
}

func TestWrongSettingsOfBindings(t *testing.T) {
	_, err := guard.New(guard.Config{Issuer: "http://localhost", ClientID: "a", ClientSecret: "b", Resource: "api", Origin: "https://api.example/v1", NonceKey: "short"})
	want := `guard: Resource "api" is not an absolute URI without a fragment
guard: Origin "https://api.example/v1" is not an http(s) URL without a path
guard: NonceKey has 5 characters, and must have 32 at least`
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
