package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

const issuer = "http://localhost:8080"

// registerSigner registers a client that signs assertions, with a document of keys.
func registerSigner(s *apptest.Server, id, jwks string) {
	s.Exec("INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, jwks) VALUES ('" + id + "', 'a b', 'private_key_jwt', '" + jwks + "')")
}

// unauthenticated is the answer to every failed authentication.
const unauthenticated = `{"error":"invalid_client","error_description":"client authentication failed: unknown client, wrong credentials, or none"}`

const please = "grant_type=client_credentials&"

// An assertion authenticates the client at every endpoint, with each algorithm.
func TestAssertion(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for _, algorithm := range []string{"ES256", "RS256", "PS256", "EdDSA", "Ed25519"} {
			signer := apptest.NewSigner(t, algorithm, "k1")
			id := strings.ToLower(algorithm)
			registerSigner(s, id, apptest.JWKS(signer))
			answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion(id)))
			if answer.Status != 200 || answer.Text("scope") != "a b" {
				t.Errorf("%s: %d %s", algorithm, answer.Status, answer.Body)
				continue
			}
			token := "token=" + answer.Text("access_token") + "&"
			if answer := s.Post("/introspect", "", "", token+apptest.AssertionForm(signer.Assertion(id))); answer.Text("client_id") != id {
				t.Errorf("%s: introspection: %d %s", algorithm, answer.Status, answer.Body)
			}
			if answer := s.Post("/revoke", "", "", token+"client_id="+id+"&"+apptest.AssertionForm(signer.Assertion(id))); answer.Status != 200 {
				t.Errorf("%s: revocation: %d %s", algorithm, answer.Status, answer.Body)
			}
			if s.Active("api", secret, token[6:len(token)-1]) {
				t.Errorf("%s: the revoked token is active", algorithm)
			}
		}
	})
}

// Which assertions are refused. Each row changes a right one.
func TestAssertionRules(t *testing.T) {
	s := apptest.Embedded(t, "--assertion-audiences=https://auth.example.com/token,urn:other")
	signer, other := apptest.NewSigner(t, "ES256", "k1"), apptest.NewSigner(t, "ES256", "k1")
	registerSigner(s, "job", apptest.JWKS(signer))
	registerSigner(s, "off", apptest.JWKS(signer))
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'off'")
	now := time.Now().Unix()
	claims := apptest.Claims{}
	for _, row := range []struct {
		name   string
		change apptest.Claims
		status int
	}{
		{"right", claims, 200},
		{"audience in a list of one", apptest.Claims{"aud": []string{issuer}}, 200},
		{"audience that a setting allows", apptest.Claims{"aud": "https://auth.example.com/token"}, 200},
		{"second audience that a setting allows", apptest.Claims{"aud": "urn:other"}, 200},
		{"no iat", apptest.Claims{"iat": nil}, 200},
		{"iat half a minute ahead", apptest.Claims{"iat": now + 30}, 200},
		{"nbf half a minute ahead", apptest.Claims{"nbf": now + 30}, 200},
		{"exp just under five minutes ahead", apptest.Claims{"exp": now + 295}, 200},
		{"exp with a fraction", apptest.Claims{"exp": float64(now) + 60.5}, 200},
		{"other claims", apptest.Claims{"name": "x", "ISS": "y"}, 200},

		{"no exp", apptest.Claims{"exp": nil}, 401},
		{"expired", apptest.Claims{"exp": now - 1}, 401},
		{"exp six minutes ahead", apptest.Claims{"exp": now + 360}, 401},
		{"exp far ahead", apptest.Claims{"exp": 1e18}, 401},
		{"exp as a text", apptest.Claims{"exp": fmt.Sprint(now + 60)}, 401},
		{"iat two minutes ahead", apptest.Claims{"iat": now + 120}, 401},
		{"nbf two minutes ahead", apptest.Claims{"nbf": now + 120}, 401},
		{"no jti", apptest.Claims{"jti": nil}, 401},
		{"empty jti", apptest.Claims{"jti": ""}, 401},
		{"no aud", apptest.Claims{"aud": nil}, 401},
		{"no aud in its list", apptest.Claims{"aud": []string{}}, 401},
		{"aud of another server", apptest.Claims{"aud": "https://other.example"}, 401},
		{"aud with a slash more", apptest.Claims{"aud": issuer + "/"}, 401},
		{"aud of the token endpoint, which no setting allows", apptest.Claims{"aud": issuer + "/token"}, 401},
		{"two right audiences", apptest.Claims{"aud": []string{issuer, "urn:other"}}, 401},
		{"no iss", apptest.Claims{"iss": nil}, 401},
		{"iss of another", apptest.Claims{"iss": "alice"}, 401},
		{"no sub", apptest.Claims{"sub": nil}, 401},
		{"sub of another", apptest.Claims{"sub": "alice"}, 401},
		{"unknown client", apptest.Claims{"iss": "nobody", "sub": "nobody"}, 401},
		{"disabled client", apptest.Claims{"iss": "off", "sub": "off"}, 401},
	} {
		answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Sign(apptest.AssertionClaims("job", issuer).With(row.change))))
		if answer.Status != row.status {
			t.Errorf("%s: %d %s", row.name, answer.Status, answer.Body)
		}
	}
	right := func() apptest.Claims { return apptest.AssertionClaims("job", issuer) }
	for name, form := range map[string]string{
		"another key":            apptest.AssertionForm(other.Sign(right())),
		"another kid":            apptest.AssertionForm(signer.SignText(map[string]any{"alg": "ES256", "kid": "k2"}, asJSON(right()))),
		"client_id of another":   "client_id=off&" + apptest.AssertionForm(signer.Sign(right())),
		"no type":                "client_assertion=" + signer.Sign(right()),
		"another type":           "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer&client_assertion=" + signer.Sign(right()),
		"no assertion":           "client_id=job&client_assertion_type=x",
		"its id alone":           "client_id=job",
		"a secret":               "client_id=job&client_secret=x",
		"rubbish":                apptest.AssertionForm("rubbish"),
		"a crit":                 apptest.AssertionForm(signer.SignText(map[string]any{"alg": "ES256", "kid": "k1", "crit": []string{"exp"}, "exp": 1}, "{}")),
		"an unencoded payload":   apptest.AssertionForm(signer.SignText(map[string]any{"alg": "ES256", "kid": "k1", "crit": []string{"b64"}, "b64": false}, "{}")),
		"its own key in a jwk":   apptest.AssertionForm(other.SignText(map[string]any{"alg": "ES256", "jwk": jwkOf(other)}, asJSON(right()))),
		"claims that are a list": apptest.AssertionForm(signer.SignText(map[string]any{"alg": "ES256", "kid": "k1"}, "[]")),
		"a claim twice":          apptest.AssertionForm(signer.SignText(map[string]any{"alg": "ES256", "kid": "k1"}, strings.TrimSuffix(asJSON(right()), "}")+`,"aud":"x"}`)),
	} {
		answer := s.Post("/token", "", "", please+form)
		if answer.Status != 401 || answer.Body != unauthenticated || !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	form := apptest.AssertionForm(signer.Sign(right()))
	for name, answer := range map[string]apptest.Answer{
		"with Basic":         s.Post("/token", "job", "x", please+form),
		"with client_secret": s.Post("/token", "", "", please+form+"&client_id=job&client_secret=x"),
	} {
		if answer.Status != 400 || answer.Text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	for _, cause := range []string{"wrong assertion: it has no jti", "wrong assertion: it has no exp", "unknown client", "no registered key has its kid and fits its alg"} {
		if !strings.Contains(s.Log(), cause) {
			t.Errorf("the log does not have the cause: %s", cause)
		}
	}
}

// A client that is registered for a method authenticates by this one only.
func TestExactMethod(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		signer := apptest.NewSigner(t, "ES256", "")
		for id, method := range map[string]string{"any": "NULL", "basic": "'client_secret_basic'", "post": "'client_secret_post'", "jwt": "'private_key_jwt'", "tls": "'tls_client_auth'", "self": "'self_signed_tls_client_auth'"} {
			s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, jwks, token_endpoint_auth_method) VALUES ('" + id + "', '" + models.HashSecret(secret) + "', '" + apptest.JWKS(signer) + "', " + method + ")")
		}
		for _, row := range []struct {
			id               string
			basic, post, jwt int
		}{
			{"any", 200, 200, 401},
			{"basic", 200, 401, 401},
			{"post", 401, 200, 401},
			{"jwt", 401, 401, 200},
			{"tls", 401, 401, 401},
			{"self", 401, 401, 401},
		} {
			basic := s.Post("/token", row.id, secret, please)
			post := s.Post("/token", "", "", please+"client_id="+row.id+"&client_secret="+url.QueryEscape(secret))
			jwt := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion(row.id)))
			if basic.Status != row.basic || post.Status != row.post || jwt.Status != row.jwt {
				t.Errorf("%s: %d, %d, %d", row.id, basic.Status, post.Status, jwt.Status)
			}
		}
	})
}

// A change of the keys by SQL is in force within a second, and at once for one that was refused before.
func TestKeysBySQL(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		first, second := apptest.NewSigner(t, "ES256", "1"), apptest.NewSigner(t, "RS256", "2")
		registerSigner(s, "job", apptest.JWKS(first))
		token := func(signer *apptest.Signer) int {
			return s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job"))).Status
		}
		if one, other := token(first), token(second); one != 200 || other != 401 {
			t.Fatalf("%d, %d", one, other)
		}
		s.Exec("UPDATE oauth_client SET jwks = '" + apptest.JWKS(second) + "'")
		if status := token(second); status != 200 {
			t.Errorf("the new key: %d", status)
		}
		apptest.Eventually(t, 5*time.Second, "the old key is refused", func() bool { return token(first) == 401 })
	})
}

// While Redis is out of reach, nobody knows whether an assertion was used. So the answer is 503.
func TestAssertionWithoutRedis(t *testing.T) {
	s := apptest.Real(t)
	signer := apptest.NewSigner(t, "ES256", "")
	registerSigner(s, "job", apptest.JWKS(signer))
	form := please + apptest.AssertionForm(signer.Assertion("job"))
	s.Redis.Stop()
	if answer := s.Post("/token", "", "", form); answer.Status != 503 || answer.Text("error") != "temporarily_unavailable" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if answer := s.Post("/token", "", "", please+apptest.AssertionForm(apptest.NewSigner(t, "ES256", "").Assertion("job"))); answer.Status != 401 {
		t.Errorf("another key: %d %s", answer.Status, answer.Body)
	}
}

// A stream that an assertion has opened ends when its key is no longer registered.
func TestStreamByAssertion(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		signer := apptest.NewSigner(t, "ES256", "")
		registerSigner(s, "api", apptest.JWKS(signer))
		s.Exec("UPDATE oauth_client SET is_resource_server = true")
		stream := s.ReceiveByForm(apptest.AssertionForm(signer.Assertion("api")))
		s.Exec("UPDATE oauth_client SET client_name = 'API'")
		for _, event := range stream.Quiet(4) { // the stream goes on
			if event.Name != "client" && event.Name != "all" {
				t.Errorf("%+v", event)
			}
		}
		s.Exec("UPDATE oauth_client SET is_resource_server = true, jwks = '" + apptest.JWKS(apptest.NewSigner(t, "ES256", "")) + "'")
		for event := stream.NextChange(); event.Name != ""; event = stream.NextChange() {
			if event.Name != "client" && event.Name != "all" {
				t.Errorf("%+v", event)
			}
		}
	})
}

func jwkOf(signer *apptest.Signer) map[string]any { return apptest.Answer{Body: signer.JWK()}.JSON() }

func asJSON(claims apptest.Claims) string {
	encoded, _ := json.Marshal(claims) // every claim of these tests has a form in JSON
	return string(encoded)
}
