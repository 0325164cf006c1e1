package handlers_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// A client's keys at a URL: a new key is found at once, and a storm of unknown ones makes no storm of requests.
func TestKeysAtAURL(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		first, second, unknown := apptest.NewSigner(t, "ES256", "1"), apptest.NewSigner(t, "RS256", "2"), apptest.NewSigner(t, "ES256", "3")
		place := apptest.NewIssuer(t, first, second)
		s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks_uri) VALUES ('job', 'private_key_jwt', '" + place.KeysURL + "')")
		token := func(signer *apptest.Signer) apptest.Answer {
			return s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job")))
		}
		for _, signer := range []*apptest.Signer{first, second, first} {
			if answer := token(signer); answer.Status != 200 {
				t.Errorf("%s: %d %s", signer.ID, answer.Status, answer.Body)
			}
		}
		var storm sync.WaitGroup
		for range 30 {
			storm.Go(func() {
				if answer := token(unknown); answer.Status != 401 || answer.Body != unauthenticated {
					t.Errorf("%d %s", answer.Status, answer.Body)
				}
			})
		}
		storm.Wait()
		if asked := place.Asked(); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		place.Break(true)
		if answer := token(first); answer.Status != 200 {
			t.Errorf("out of reach: %d %s", answer.Status, answer.Body)
		}
	})
}

// A key document that cannot be had, or must not be asked for, is a refusal like any other.
func TestKeysThatCannotBeHad(t *testing.T) {
	s := apptest.Embedded(t)
	signer := apptest.NewSigner(t, "ES256", "1")
	broken := apptest.NewIssuer(t, signer)
	broken.Break(true)
	for i, location := range []string{broken.KeysURL, "http://127.0.0.1:1/keys", "http://example.com/keys", "https://10.0.0.1/keys", "file:///etc/passwd", "::"} {
		s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks_uri) VALUES ('job', 'private_key_jwt', '" + location + "')")
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job"))); answer.Status != 401 || answer.Body != unauthenticated {
			t.Errorf("%d: %s: %d %s", i, location, answer.Status, answer.Body)
		}
		s.Exec("DELETE FROM oauth_client WHERE client_id = 'job'")
	}
	for _, cause := range []string{"is 502", "connection refused", "does not begin with https://", "10.0.0.1 is a private address: CHIT_JWKS_PRIVATE=on allows it"} {
		if !strings.Contains(s.Log(), cause) {
			t.Errorf("the log does not have the cause: %s", cause)
		}
	}
}

// Key documents of a private authority, which a setting trusts.
func TestKeysOfAPrivateAuthority(t *testing.T) {
	signer := apptest.NewSigner(t, "ES256", "1")
	place := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(apptest.JWKS(signer))) }))
	t.Cleanup(place.Close)
	file := apptest.File(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: place.Certificate().Raw})))
	for want, flags := range map[int][]string{200: {"--jwks-ca=" + file}, 401: nil} {
		s := apptest.Embedded(t, flags...)
		s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks_uri) VALUES ('job', 'private_key_jwt', '" + place.URL + "')")
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job"))); answer.Status != want {
			t.Errorf("%v: %d %s", flags, answer.Status, answer.Body)
		}
	}
}

// Keys that cannot check an assertion are no keys, and do not keep others from it.
func TestUnusableKeys(t *testing.T) {
	s := apptest.Embedded(t)
	signer := apptest.NewSigner(t, "ES256", "k")
	private, symmetric := `{"kty":"oct","kid":"k","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}`, `{"kty":"nonsense","kid":"k"}`
	registerSigner(s, "mixed", `{"keys":[`+private+","+symmetric+",{},7,"+signer.JWK()+"]}")
	forEncryption := strings.TrimSuffix(signer.JWK(), "}") + `,"use":"enc"}`
	forRSA := strings.TrimSuffix(signer.JWK(), "}") + `,"alg":"RS256"}`
	forSigning := strings.TrimSuffix(signer.JWK(), "}") + `,"key_ops":["sign"]}`
	registerSigner(s, "none", `{"keys":[`+forEncryption+","+forRSA+","+forSigning+"]}")
	registerSigner(s, "malformed", `{"keys":`)
	registerSigner(s, "empty", `{}`)
	registerSigner(s, "large", `{"keys":[`+signer.JWK()+`],"x":"`+strings.Repeat("x", 64<<10)+`"}`)
	for id, want := range map[string]int{"mixed": 200, "none": 401, "malformed": 401, "empty": 401, "large": 401} {
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion(id))); answer.Status != want {
			t.Errorf("%s: %d %s", id, answer.Status, answer.Body)
		}
	}
}

// federate adds a federation by SQL.
func federate(s *apptest.Server, row models.Federation) {
	uri := "NULL"
	if row.JWKSURI != "" {
		uri = "'" + string(row.JWKSURI) + "'"
	}
	s.Exec("INSERT INTO oauth_client_federation (client_id, issuer, subject, audience, jwks_uri) VALUES ('" + row.ClientID + "', '" + row.Issuer + "', '" + row.Subject + "', '" + row.Audience + "', " + uri + ")")
}

// workload returns the form of a request with a token of a platform.
func workload(clientID, token string) string {
	return please + "client_id=" + clientID + "&" + apptest.AssertionForm(token)
}

// A token of a platform authenticates the client of the row that it matches, as often as it is shown.
func TestFederation(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		key := apptest.NewSigner(t, "RS256", "k")
		platform, svid := apptest.NewIssuer(t, key), apptest.NewIssuer(t, key)
		federate(s, models.Federation{ClientID: "alice", Issuer: platform.URL, Subject: "system:serviceaccount:shop:billing", Audience: issuer})
		federate(s, models.Federation{ClientID: "alice", Issuer: platform.URL, Subject: "repo:acme/shop:*", Audience: "chit"})
		federate(s, models.Federation{ClientID: "bob", Issuer: "spiffe://acme.example", Subject: "spiffe://acme.example/ns/shop/*", Audience: issuer, JWKSURI: models.Text(svid.KeysURL)})
		federate(s, models.Federation{ClientID: "scopeless", Issuer: "spiffe://acme.example", Subject: "*", Audience: issuer, JWKSURI: models.Text(svid.KeysURL)})
		federate(s, models.Federation{ClientID: "disabled", Issuer: platform.URL, Subject: "*", Audience: issuer})
		federate(s, models.Federation{ClientID: "public", Issuer: platform.URL, Subject: "*", Audience: issuer})
		now := time.Now().Unix()
		pod := apptest.Claims{"iss": platform.URL, "sub": "system:serviceaccount:shop:billing", "aud": []string{issuer}, "exp": now + 3600, "iat": now, "nbf": now, "jti": "1"}
		job := pod.With(apptest.Claims{"sub": "repo:acme/shop:ref:refs/heads/main", "aud": "chit"})
		spiffe := apptest.Claims{"sub": "spiffe://acme.example/ns/shop/billing", "aud": []string{issuer}, "exp": now + 300, "iat": now}
		for _, row := range []struct {
			name, client string
			claims       apptest.Claims
			status       int
		}{
			{"a pod", "alice", pod, 200},
			{"a pod again", "alice", pod, 200},
			{"a job, by a pattern", "alice", job, 200},
			{"a token of a year", "alice", pod.With(apptest.Claims{"exp": now + 365*86400}), 200},
			{"a SPIFFE workload", "bob", spiffe, 200},
			{"a SPIFFE workload with an iss", "bob", spiffe.With(apptest.Claims{"iss": "https://spire.example"}), 200},

			{"no exp", "alice", pod.With(apptest.Claims{"exp": nil}), 401},
			{"expired", "alice", pod.With(apptest.Claims{"exp": now - 1}), 401},
			{"not valid yet", "alice", pod.With(apptest.Claims{"nbf": now + 120}), 401},
			{"another subject", "alice", pod.With(apptest.Claims{"sub": "system:serviceaccount:shop:other"}), 401},
			{"a subject with a tail", "alice", pod.With(apptest.Claims{"sub": "system:serviceaccount:shop:billing2"}), 401},
			{"no subject", "alice", pod.With(apptest.Claims{"sub": nil}), 401},
			{"the audience of the other row", "alice", pod.With(apptest.Claims{"aud": "chit"}), 401},
			{"two audiences", "alice", pod.With(apptest.Claims{"aud": []string{issuer, "chit"}}), 401},
			{"another issuer", "alice", pod.With(apptest.Claims{"iss": svid.URL}), 401},
			{"the issuer with a slash", "alice", pod.With(apptest.Claims{"iss": platform.URL + "/"}), 401},
			{"no issuer", "alice", pod.With(apptest.Claims{"iss": nil}), 401},
			{"a repository whose name goes on", "alice", job.With(apptest.Claims{"sub": "repo:acme/shop-evil:ref"}), 401},
			{"a client without rows", "browser", pod, 401},
			{"no such client", "nobody", pod, 401},
			{"the row of another client", "bob", pod, 401},
			{"a disabled client", "disabled", pod, 401},
			{"a public client", "public", pod, 400},
			{"another trust domain", "scopeless", spiffe.With(apptest.Claims{"sub": "spiffe://acme.example.evil/ns/shop/billing"}), 401},
			{"the trust domain itself", "scopeless", spiffe.With(apptest.Claims{"sub": "spiffe://acme.example"}), 401},
			{"no SPIFFE id at all", "scopeless", spiffe.With(apptest.Claims{"sub": "acme.example/ns/shop"}), 401},
		} {
			if answer := s.Post("/token", "", "", workload(row.client, key.Sign(row.claims))); answer.Status != row.status {
				t.Errorf("%s: %d %s", row.name, answer.Status, answer.Body)
			}
		}
		if answer := s.Post("/token", "", "", please+apptest.AssertionForm(key.Sign(pod))); answer.Status != 401 {
			t.Errorf("without client_id: %d %s", answer.Status, answer.Body)
		}
		if answer := s.Post("/token", "", "", workload("alice", apptest.NewSigner(t, "RS256", "k").Sign(pod))); answer.Status != 401 {
			t.Errorf("another key: %d %s", answer.Status, answer.Body)
		}
		if answer := s.Post("/token", "alice", secret, please); answer.Status != 200 {
			t.Errorf("its secret: %d %s", answer.Status, answer.Body)
		}
		s.Exec("DELETE FROM oauth_client_federation WHERE client_id = 'alice'")
		apptest.Eventually(t, 5*time.Second, "the row is gone", func() bool {
			return s.Post("/token", "", "", workload("alice", key.Sign(pod))).Status == 401
		})
	})
}

// A new client does not inherit the federations of a former one with its id.
func TestFederationEndsWithItsClient(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		key := apptest.NewSigner(t, "ES256", "k")
		platform := apptest.NewIssuer(t, key)
		form := func() string {
			return workload("job", key.Sign(apptest.Claims{"iss": platform.URL, "sub": "w", "aud": issuer, "exp": time.Now().Unix() + 60}))
		}
		for _, end := range []string{"DELETE FROM oauth_client WHERE client_id = 'job'", "UPDATE oauth_client SET client_id = 'other' WHERE client_id = 'job'"} {
			s.Exec("INSERT INTO oauth_client (client_id) VALUES ('job')")
			federate(s, models.Federation{ClientID: "job", Issuer: platform.URL, Subject: "w", Audience: issuer})
			apptest.Eventually(t, 5*time.Second, "the federation", func() bool { return s.Post("/token", "", "", form()).Status == 200 })
			s.Exec(end)
			s.Exec("INSERT INTO oauth_client (client_id) VALUES ('job')")
			apptest.Eventually(t, 5*time.Second, "it is gone", func() bool { return s.Post("/token", "", "", form()).Status == 401 })
			time.Sleep(200 * time.Millisecond)
			if answer := s.Post("/token", "", "", form()); answer.Status != 401 {
				t.Errorf("%s: %d %s", end, answer.Status, answer.Body)
			}
			s.Exec("DELETE FROM oauth_client")
		}
	})
}

// Requests that wait for a key document take no place. So others are answered, also those that are refused.
func TestWaitingForKeysTakesNoPlace(t *testing.T) {
	s := apptest.Embedded(t, "--max-concurrent=4")
	register(s)
	asked, hang := make(chan struct{}, 100), make(chan struct{})
	place := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(place.Close)
	s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks_uri) VALUES ('job', 'private_key_jwt', '" + place.URL + "')")
	signer := apptest.NewSigner(t, "ES256", "1")
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() { s.Post("/token", "", "", please+apptest.AssertionForm(signer.Assertion("job"))) })
	}
	<-asked
	time.Sleep(100 * time.Millisecond) // all of them wait
	for range 10 {
		if answer := s.Post("/token", "alice", "wrong", please); answer.Status != 401 {
			t.Errorf("a wrong secret: %d %s", answer.Status, answer.Body)
		}
		if answer := s.Post("/token", "alice", secret, please); answer.Status != 200 {
			t.Errorf("a right secret: %d %s", answer.Status, answer.Body)
		}
	}
	close(hang)
	waiting.Wait()
}
