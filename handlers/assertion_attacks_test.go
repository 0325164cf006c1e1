package handlers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
)

// Vulnerabilities of other servers with client assertions. Each test is the attack.

// Ory Hydra GHSA-3p3g-vpw6-4w66 and fosite GHSA-v3q9-2p3m-7g43: an assertion could be used again, because its
// jti was not remembered, or only on one node. Here one of many concurrent requests to two nodes succeeds.
func TestHydraGHSA3p3gReplayOfAnAssertion(t *testing.T) {
	s := apptest.Real(t)
	signer := apptest.NewSigner(t, "ES256", "")
	registerSigner(s, "job", apptest.JWKS(signer))
	registerSigner(s, "other", apptest.JWKS(signer))
	claims := apptest.AssertionClaims("job", issuer)
	form := please + apptest.AssertionForm(signer.Sign(claims))
	nodes := []*apptest.Server{s, s.Another()}
	var accepted, refused atomic.Int64
	var running sync.WaitGroup
	for i := range 16 {
		running.Go(func() {
			switch nodes[i%2].Post("/token", "", "", form).Status {
			case 200:
				accepted.Add(1)
			case 401:
				refused.Add(1)
			}
		})
	}
	running.Wait()
	if accepted.Load() != 1 || refused.Load() != 15 {
		t.Errorf("%d accepted, %d refused", accepted.Load(), refused.Load())
	}
	for name, answer := range map[string]apptest.Answer{
		"at another endpoint":     s.Post("/introspect", "", "", "token=x&"+apptest.AssertionForm(signer.Sign(claims))),
		"signed again":            s.Post("/token", "", "", please+apptest.AssertionForm(signer.Sign(claims.With(apptest.Claims{"exp": time.Now().Unix() + 200})))),
		"by another path":         nodes[1].Post("/oauth2/token", "", "", form),
		"with a signature longer": s.Post("/token", "", "", form+"%3D"),
	} {
		if answer.Status != 401 || answer.Body != unauthenticated {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	other := claims.With(apptest.Claims{"iss": "other", "sub": "other"})
	if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Sign(other))); answer.Status != 200 {
		t.Errorf("the same jti of another client: %d %s", answer.Status, answer.Body)
	}
}

// Keycloak CVE-2025-2559: assertions that live for years fill the cache of used ones. Here they are refused
// before they are remembered, and what is remembered ends by itself soon after the assertion.
func TestKeycloakCVE20252559LongLivedAssertions(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		signer := apptest.NewSigner(t, "ES256", "")
		registerSigner(s, "job", apptest.JWKS(signer))
		for _, ahead := range []int64{301, 3600, 1 << 32, 1 << 62} {
			claims := apptest.AssertionClaims("job", issuer).With(apptest.Claims{"exp": time.Now().Unix() + ahead + 5})
			if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Sign(claims))); answer.Status != 401 {
				t.Errorf("%d s: %d %s", ahead, answer.Status, answer.Body)
			}
		}
		forged := apptest.NewSigner(t, "ES256", "").Assertion("job")
		s.Post("/token", "", "", please+apptest.AssertionForm(forged))
		if keys := s.RedisCLI("KEYS", "oauth:once:*"); keys != "" {
			t.Errorf("remembered: %s", keys)
		}
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job"))); answer.Status != 200 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		key := s.RedisCLI("KEYS", "oauth:once:*")
		if lifetime := s.RedisClient().TTL(t.Context(), key).Val(); lifetime <= time.Minute || lifetime > 2*time.Minute {
			t.Errorf("%s lives for %v", key, lifetime)
		}
	})
}

// Keycloak CVE-2026-11800: an assertion with another algorithm than that of the key was accepted. The public
// key of a client is no secret, so nothing that is signed with it may count.
func TestKeycloakCVE202611800AlgorithmConfusion(t *testing.T) {
	s := apptest.Embedded(t)
	rsa, ec, ed := apptest.NewSigner(t, "RS256", "k"), apptest.NewSigner(t, "ES256", "k"), apptest.NewSigner(t, "EdDSA", "k")
	registerSigner(s, "rsa", apptest.JWKS(rsa))
	registerSigner(s, "ec", apptest.JWKS(ec))
	registerSigner(s, "ed", apptest.JWKS(ed))
	attempt := func(name, assertion string) {
		t.Helper()
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(assertion)); answer.Status != 401 || answer.Body != unauthenticated {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	for id, signer := range map[string]*apptest.Signer{"rsa": rsa, "ec": ec, "ed": ed} {
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		claims := asJSON(apptest.AssertionClaims(id, issuer))
		for _, key := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), []byte(signer.JWK()), {}} {
			attempt(id+" by HMAC", byHMAC(key, claims))
		}
		for _, header := range []string{`{"alg":"none"}`, `{"alg":"None"}`, `{"alg":""}`, `{}`, `{"alg":"none","alg":"ES256"}`} {
			attempt(id+" by "+header, b64(header)+"."+b64(claims)+".")
		}
		for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519", "RS512", "ES384", "HS256", "rs256"} {
			if right := map[string]string{"rsa": "RS256", "ec": "ES256", "ed": "EdDSA Ed25519"}[id]; !strings.Contains(right, algorithm) {
				attempt(id+" by "+algorithm, signer.SignText(map[string]any{"alg": algorithm, "kid": "k"}, claims))
			}
		}
		zeros := b64(strings.Repeat("\x00", 64))
		attempt(id+" with a signature of zeros", b64(`{"alg":"`+signer.Algorithm+`","kid":"k"}`)+"."+b64(claims)+"."+zeros)
	}
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func byHMAC(key []byte, claims string) string {
	signed := b64(`{"alg":"HS256","kid":"k"}`) + "." + b64(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed)) // never fails
	return signed + "." + b64(string(mac.Sum(nil)))
}

// CVE-2025-27370 and CVE-2025-27371: a malicious server could have its URL taken as the audience of an
// assertion, and use the assertion at another one. So an assertion for more than this server is refused.
func TestCVE202527370AudienceInjection(t *testing.T) {
	s := apptest.Embedded(t)
	signer := apptest.NewSigner(t, "ES256", "")
	registerSigner(s, "job", apptest.JWKS(signer))
	for _, audience := range []any{
		[]string{issuer, "https://evil.example"}, []string{"https://evil.example", issuer}, []string{issuer, issuer},
		"https://evil.example", issuer + "/token", issuer + "#x", issuer + "?x", "HTTP://LOCALHOST:8080", issuer + "\x00",
		map[string]string{"aud": issuer}, []any{[]string{issuer}}, []any{issuer, 1}, true, nil,
	} {
		claims := apptest.AssertionClaims("job", issuer)
		claims["aud"] = audience
		answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Sign(claims)))
		if answer.Status != 401 || answer.Body != unauthenticated {
			t.Errorf("%v: %d %s", audience, answer.Status, answer.Body)
		}
	}
}

// go-jose CVE-2025-27144 and CVE-2024-28180: many dots and compressed tokens made parsers use much memory.
func TestGoJoseCVE202527144ParserExhaustion(t *testing.T) {
	s := apptest.Embedded(t)
	deep := strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)
	for name, assertion := range map[string]string{
		"dots":           strings.Repeat(".", 8<<10),
		"dots, too many": strings.Repeat(".", 60<<10),
		"encrypted":      b64(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + "..a.b.c",
		"large":          b64(`{"alg":"ES256"}`) + "." + b64(strings.Repeat("x", 20<<10)) + ".x",
		"deep claims":    b64(`{"alg":"ES256"}`) + "." + b64(deep) + "." + b64("x"),
		"deep header":    b64(`{"alg":"ES256","x":`+deep+`}`) + "." + b64("{}") + "." + b64("x"),
		"a JSON":         `{"payload":"e30","signatures":[]}`,
	} {
		began := time.Now()
		answer := s.Post("/token", "", "", please+apptest.AssertionForm(assertion))
		if answer.Status != 401 || answer.Body != unauthenticated {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		t.Logf("%s: %v", name, time.Since(began))
	}
}

// Refused assertions count like wrong secrets, by the id that they claim.
func TestAssertionsAreThrottled(t *testing.T) {
	s := apptest.Embedded(t, "--throttle-client=3")
	signer := apptest.NewSigner(t, "ES256", "")
	registerSigner(s, "job", apptest.JWKS(signer))
	registerSigner(s, "other", apptest.JWKS(signer))
	wrong := func() string {
		return please + apptest.AssertionForm(apptest.NewSigner(t, "ES256", "").Assertion("job"))
	}
	for range 3 {
		if answer := s.Post("/token", "", "", wrong()); answer.Status != 401 {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	for name, form := range map[string]string{"wrong": wrong(), "right": please + apptest.AssertionForm(signer.Assertion("job"))} {
		if answer := s.Post("/token", "", "", form); answer.Status != 429 || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("other"))); answer.Status != 200 {
		t.Errorf("another client: %d %s", answer.Status, answer.Body)
	}
}
