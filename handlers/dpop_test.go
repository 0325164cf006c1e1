package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// tokenURL is that of the token endpoint of a server with the default issuer.
const tokenURL = issuer + "/token"

// askWith asks for a token with headers "DPoP".
func askWith(s *apptest.Server, path, user, form string, proofs ...string) apptest.Answer {
	request, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader("grant_type=client_credentials"+form))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header["DPoP"] = proofs
	request.SetBasicAuth(user, secret)
	return s.Do(request)
}

// A proof binds the token to its key, with every algorithm, whoever has asked.
func TestDPoP(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, dpop_bound_access_tokens) VALUES ('bound', '" + secretHash + "', true)")
		for _, algorithm := range []string{"ES256", "RS256", "PS256", "EdDSA", "Ed25519"} {
			signer := apptest.NewSigner(t, algorithm, "")
			for _, user := range []string{"alice", "bound"} {
				for _, path := range []string{"/token", "/oauth2/token"} {
					answer := askWith(s, path, user, "", signer.Proof(apptest.ProofClaims("POST", issuer+path)))
					if answer.Status != 200 || answer.Text("token_type") != "DPoP" || answer.Header.Get("DPoP-Nonce") != "" {
						t.Fatalf("%s %s: %d %s", algorithm, path, answer.Status, answer.Body)
					}
					told := s.Post("/introspect", "api", secret, "token="+answer.Text("access_token"))
					if told.Text("token_type") != "DPoP" || told.Member("cnf") != `{"jkt":"`+signer.Thumbprint()+`"}` {
						t.Errorf("%s: %s", algorithm, told.Body)
					}
				}
			}
		}
		if plain := s.Post("/token", "bound", secret, "grant_type=client_credentials"); plain.Status != 400 || plain.Text("error") != "invalid_dpop_proof" {
			t.Errorf("without a proof: %d %s", plain.Status, plain.Body)
		}
		token := s.Token("alice", secret)
		if told := s.Post("/introspect", "api", secret, "token="+token); told.Text("token_type") != "Bearer" || told.Member("cnf") != "" {
			t.Errorf("without a proof: %s", told.Body)
		}
	})
}

// Which proofs are refused. Each row changes a right one.
func TestDPoPRules(t *testing.T) {
	s := register(apptest.Embedded(t))
	signer := apptest.NewSigner(t, "ES256", "")
	now := time.Now().Unix()
	right := func(change apptest.Claims) string {
		return signer.Proof(apptest.ProofClaims("POST", tokenURL).With(change))
	}
	for name, row := range map[string]struct {
		proofs []string
		want   string // in the description; empty: it is accepted
	}{
		"right":                    {[]string{right(nil)}, ""},
		"with more claims":         {[]string{right(apptest.Claims{"exp": 1, "x": nil, "ath": "y", "nonce": "z"})}, ""},
		"with a query":             {[]string{right(apptest.Claims{"htu": tokenURL + "?a=b#c"})}, ""},
		"in another form":          {[]string{right(apptest.Claims{"htu": "HTTP://LOCALHOST:8080/./%74oken"})}, ""},
		"half a minute old":        {[]string{right(apptest.Claims{"iat": now - 30})}, ""},
		"empty":                    {[]string{""}, "is not a JWT"},
		"two":                      {[]string{right(nil), right(nil)}, "is there twice"},
		"garbage":                  {[]string{"x.y.z"}, "is not a JWT"},
		"too large":                {[]string{right(apptest.Claims{"x": strings.Repeat("x", 9000)})}, "larger than 8192"},
		"for another endpoint":     {[]string{right(apptest.Claims{"htu": issuer + "/introspect"})}, "is for another URL (htu): it must be " + tokenURL},
		"for the other path of it": {[]string{right(apptest.Claims{"htu": issuer + "/oauth2/token"})}, "is for another URL"},
		"for the listener":         {[]string{right(apptest.Claims{"htu": s.URL + "/token"})}, "is for another URL"},
		"for another method":       {[]string{right(apptest.Claims{"htm": "GET"})}, "is for another method"},
		"too old":                  {[]string{right(apptest.Claims{"iat": now - 70})}, "is not of the last minute"},
		"too far ahead":            {[]string{right(apptest.Claims{"iat": now + 90})}, "is not of the last minute"},
		"without a jti":            {[]string{right(apptest.Claims{"jti": nil})}, "malformed claims"},
		"an assertion":             {[]string{signer.Assertion("alice")}, "another typ"},
	} {
		answer := askWith(s, "/token", "alice", "", row.proofs...)
		if row.want == "" {
			if answer.Status != 200 || answer.Text("token_type") != "DPoP" {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
			continue
		}
		if answer.Status != 400 || answer.Text("error") != "invalid_dpop_proof" || !strings.Contains(answer.Text("error_description"), row.want) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	// A wrong proof says nothing to those who have not authenticated.
	if answer := s.Post("/token", "alice", "wrong", "grant_type=client_credentials"); answer.Body != unauthenticated {
		t.Errorf("%s", answer.Body)
	}
}

// A proof is used once, on all nodes together. A request that is refused for another reason does not use it up.
func TestWSO2Issue23358ReplayedProof(t *testing.T) {
	s := register(apptest.Real(t))
	other := s.Another()
	signer, stranger := apptest.NewSigner(t, "ES256", ""), apptest.NewSigner(t, "ES256", "")
	claims := apptest.ProofClaims("POST", tokenURL)
	proof := signer.Proof(claims)
	if answer := askWith(s, "/token", "alice", "&scope=admin", proof); answer.Text("error") != "invalid_scope" {
		t.Errorf("%s", answer.Body)
	}
	if answer := askWith(s, "/token", "alice", "", proof); answer.Status != 200 {
		t.Errorf("at first: %d %s", answer.Status, answer.Body)
	}
	for name, again := range map[string]apptest.Answer{
		"the same":                     askWith(s, "/token", "alice", "", proof),
		"at the other node":            askWith(other, "/token", "alice", "", proof),
		"by another client":            askWith(s, "/token", "bob", "", proof),
		"with its jti, signed again":   askWith(s, "/token", "alice", "", signer.Proof(claims)),
		"with its jti, for later":      askWith(s, "/token", "alice", "", signer.Proof(claims.With(apptest.Claims{"iat": time.Now().Unix() + 30}))),
		"with its jti, in other words": askWith(other, "/token", "alice", "", signer.Proof(claims.With(apptest.Claims{"htu": tokenURL + "?"}))),
	} {
		if again.Status != 400 || again.Text("error") != "invalid_dpop_proof" || !strings.Contains(again.Body, "was used before") {
			t.Errorf("%s: %d %s", name, again.Status, again.Body)
		}
	}
	// Another client's key has jtis of its own (danielfett/draft-dpop issue 32).
	if answer := askWith(s, "/token", "bob", "", stranger.Proof(claims)); answer.Status != 200 {
		t.Errorf("with another key: %d %s", answer.Status, answer.Body)
	}
}

// A proof that is issued ahead is remembered for as long as it is fresh.
func TestSourcebotPull1395RecordOutlivesTheProof(t *testing.T) {
	s := register(apptest.Real(t))
	proof := apptest.NewSigner(t, "ES256", "").Proof(apptest.ProofClaims("POST", tokenURL).With(apptest.Claims{"iat": time.Now().Unix() + 55}))
	if answer := askWith(s, "/token", "alice", "", proof); answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	keys := strings.Fields(s.RedisCLI("--scan", "--pattern", "oauth:once:*"))
	if len(keys) != 1 {
		t.Fatalf("%q", keys)
	}
	if ttl := s.RedisCLI("TTL", keys[0]); len(ttl) != 3 || ttl < "160" || ttl > "175" {
		t.Errorf("it is remembered for %s seconds", ttl)
	}
}

// Without Redis nobody can say that a proof is new.
func TestDPoPWithoutRedis(t *testing.T) {
	s := register(apptest.Real(t))
	signer := apptest.NewSigner(t, "ES256", "")
	proof := func() string { return signer.Proof(apptest.ProofClaims("POST", tokenURL)) }
	if answer := askWith(s, "/token", "alice", "", proof()); answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	s.Redis.CLI("ACL", "SETUSER", "default", "resetkeys", "~oauth:token:*", "~oauth:client:*")
	if answer := askWith(s, "/token", "alice", "", proof()); answer.Status != 503 {
		t.Errorf("without the privilege: %d %s", answer.Status, answer.Body)
	}
	s.Redis.Stop()
	if answer := askWith(s, "/token", "alice", "", proof()); answer.Status != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("stopped: %d %s", answer.Status, answer.Body)
	}
}

// With the setting, proofs need a nonce, which all nodes accept.
func TestDPoPNonce(t *testing.T) {
	s := register(apptest.Real(t, "--dpop-nonce=on"))
	other := s.Another("--dpop-nonce=on")
	signer := apptest.NewSigner(t, "ES256", "")
	ask := func(s *apptest.Server, nonce any) apptest.Answer {
		return askWith(s, "/token", "alice", "", signer.Proof(apptest.ProofClaims("POST", tokenURL).With(apptest.Claims{"nonce": nonce})))
	}
	refused := func(name string, answer apptest.Answer) string {
		t.Helper()
		nonce := answer.Header.Get("DPoP-Nonce")
		if answer.Status != 400 || answer.Text("error") != "use_dpop_nonce" || len(nonce) < 20 {
			t.Errorf("%s: %d %s %q", name, answer.Status, answer.Body, nonce)
		}
		return nonce
	}
	nonce := refused("no nonce", ask(s, nil))
	refused("another nonce", ask(s, "x"))
	refused("a number", ask(other, 7))
	for _, node := range []*apptest.Server{s, other} {
		if answer := ask(node, nonce); answer.Status != 200 || answer.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%d %s %v", answer.Status, answer.Body, answer.Header)
		}
	}
	if answer := s.Post("/token", "alice", secret, "grant_type=client_credentials"); answer.Status != 200 || answer.Header.Get("DPoP-Nonce") != "" {
		t.Errorf("without a proof: %d %v", answer.Status, answer.Header)
	}
	// Redis has lost its data. The nodes agree again.
	s.RedisCLI("FLUSHALL")
	apptest.Eventually(t, patience, "the nodes agree on another nonce", func() bool {
		late := s.Another("--dpop-nonce=on")
		new := ask(late, nil).Header.Get("DPoP-Nonce")
		return new != nonce && ask(s, new).Status == 200 && ask(other, new).Status == 200
	})
}

// Keycloak issue 39332: behind a proxy the server expected its own address. Here the URL is that of the issuer, with its
// path, and without the slash at its end (better-auth pull request 10799).
func TestKeycloakIssue39332URLBehindAProxy(t *testing.T) {
	s := register(apptest.Embedded(t, "--issuer=https://auth.example.com/m2m/", "--mtls-url=https://mtls.example.com/m2m"))
	signer := apptest.NewSigner(t, "ES256", "")
	for url, want := range map[string]int{
		"https://auth.example.com/m2m/token":      200,
		"https://AUTH.example.com:443/m2m/token":  200,
		"https://mtls.example.com/m2m/token":      200,
		"https://auth.example.com/token":          400,
		"http://auth.example.com/m2m/token":       400,
		"https://auth.example.com/m2m//token":     400,
		s.URL + "/token":                          400,
		"https://auth.example.com/m2m/token/":     400,
		"https://auth.example.com/m2m%2Ftoken":    400,
		"https://evil@auth.example.com/m2m/token": 400,
	} {
		if answer := askWith(s, "/token", "alice", "", signer.Proof(apptest.ProofClaims("POST", url))); answer.Status != want {
			t.Errorf("%s: %d %s", url, answer.Status, answer.Body)
		}
	}
}
