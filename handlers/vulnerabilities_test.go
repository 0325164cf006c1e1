package handlers_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/repository"
)

// Vulnerabilities of other servers of this kind. Each test is the attack.

// Keycloak CVE-2026-37979: any client that could authenticate could introspect the tokens of any other.
// Here only a resource server can. For all other clients such a token is inactive.
func TestKeycloakCVE202637979IntrospectionOfAnothersToken(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		for _, stranger := range []string{"bob", "scopeless", "browser", "brief", "odd id+%41"} {
			for _, hint := range []string{"", "&token_type_hint=access_token", "&aud=alice", "&audience=bob", "&client=alice"} {
				answer := s.Post("/introspect", url.QueryEscape(stranger), secret, "token="+token+hint)
				if answer.Status != 200 || answer.Body != inactive {
					t.Errorf("%s with %q: %d %s", stranger, hint, answer.Status, answer.Body)
				}
			}
		}
		for caller, status := range map[string]int{"public": 400, "disabled": 401, "hashless": 401, "nobody": 401} {
			if answer := s.Post("/introspect", caller, secret, "token="+token); answer.Status != status {
				t.Errorf("%s: %d %s, want %d", caller, answer.Status, answer.Body, status)
			}
		}
		if !s.Active("alice", secret, token) || !s.Active("api", secret, token) {
			t.Error("its own client and a resource server do not see it")
		}
	})
}

// ZITADEL CVE-2026-27840: a truncated opaque token was accepted. Here no truncated or extended token is
// accepted, for introspection and for revocation.
func TestZITADELCVE202627840TruncatedToken(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		var others []string
		for end := 1; end < len(token); end++ {
			others = append(others, token[:end], token[end:])
		}
		for _, tail := range []string{"A", "=", ".", " ", "\n", "\x00", "AAAAAAAA", ".x", ":x", token} {
			others = append(others, token+tail, tail+token)
		}
		for _, other := range others {
			form := url.Values{"token": {other}}.Encode()
			for _, caller := range []string{"alice", "api"} {
				if answer := s.Post("/introspect", caller, secret, form); answer.Body != inactive {
					t.Errorf("%q for %s: %d %s", other, caller, answer.Status, answer.Body)
				}
			}
			if answer := s.Post("/revoke", "alice", secret, form); answer.Status != 200 || answer.Body != "" {
				t.Errorf("revocation of %q: %d %s", other, answer.Status, answer.Body)
			}
		}
		if !s.Active("alice", secret, token) {
			t.Error("revoking a part of a token has ended it")
		}
	})
}

// fosite CVE-2020-15223: revocation answered 200 although the storage had failed. Here the answer is 503
// until Redis has acknowledged that the token is gone.
func TestFositeCVE202015223RevocationThatWasNotStored(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*apptest.Redis) }{
		"refuses writes": {
			func(r *apptest.Redis) { r.CLI("CONFIG", "SET", "min-replicas-to-write", "1") },
			func(r *apptest.Redis) { r.CLI("CONFIG", "SET", "min-replicas-to-write", "0") },
		},
		"forbids DEL": {
			func(r *apptest.Redis) { r.CLI("ACL", "SETUSER", "default", "-del", "-unlink") },
			func(r *apptest.Redis) { r.CLI("ACL", "SETUSER", "default", "+@all") },
		},
		"stopped": {(*apptest.Redis).Stop, (*apptest.Redis).Start},
		"frozen":  {(*apptest.Redis).Pause, (*apptest.Redis).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			redis := apptest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
			s := register(apptest.On(t, apptest.Database(t), redis, "--request-timeout=500ms"))
			token := s.Token("alice", secret)
			fault.begin(redis)
			answer := s.Post("/revoke", "alice", secret, "token="+token)
			if answer.Status != 503 || answer.Text("error") != "temporarily_unavailable" || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%d %s %v", answer.Status, answer.Body, answer.Header)
			}
			if strings.Contains(s.Log(), "token_revoked") {
				t.Error("the audit trail has it as revoked")
			}
			fault.end(redis)
			wait(t, "the server to be ready again", func() bool { return s.Get("/readyz").Status == 200 })
			wait(t, "the revocation to succeed", func() bool { return s.Post("/revoke", "alice", secret, "token="+token).Status == 200 })
			if s.Active("alice", secret, token) {
				t.Error("the token is active after the revocation was acknowledged")
			}
		})
	}
}

// go-oauth2: a client with an empty stored secret could authenticate with an empty secret. Here neither an
// empty hash nor the hash of an empty secret lets anybody in, current or retired.
func TestGoOAuth2EmptyStoredSecret(t *testing.T) {
	const emptyHash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // printf '' | openssl dgst -sha256 -binary | base64
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('hash-of-nothing', '` + emptyHash + `'), ('blank', ' '), ('retired', '')`)
		s.Exec(`INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('retired', '` + emptyHash + `', '2999-01-01 00:00:00')`)
		for _, client := range []string{"hashless", "hash-of-nothing", "blank", "retired"} {
			for _, guess := range []string{"", " ", "null", "nil", emptyHash, "\x00"} {
				if answer := s.Post("/token", client, guess, "grant_type=client_credentials"); answer.Status != 401 {
					t.Errorf("%s with %q: %d %s", client, guess, answer.Status, answer.Body)
				}
				form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {guess}}.Encode()
				if answer := s.Post("/token", "", "", form); answer.Status != 401 {
					t.Errorf("%s with %q in the body: %d %s", client, guess, answer.Status, answer.Body)
				}
			}
		}
	})
}

// Keycloak CVE-2026-8922: a time of revocation was replaced by an earlier one, and revoked tokens were
// active again. Here the later time stays, whatever else an operator does.
func TestKeycloakCVE20268922OlderRevocationInstant(t *testing.T) {
	s := register(apptest.Real(t))
	clients, err := repository.OpenPostgreSQL(s.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	token := s.Token("alice", secret)
	s.Exec("UPDATE oauth_client SET tokens_revoked_before = now() + interval '1 hour' WHERE client_id = 'alice'")
	instant := func() string {
		return apptest.Psql(t, s.DatabaseURL, "SELECT tokens_revoked_before FROM oauth_client WHERE client_id = 'alice'")
	}
	latest := instant()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"revoke the client's tokens", func() error { _, err := clients.RevokeTokens(t.Context(), "alice", nil); return err }},
		{"revoke all tokens", func() error { _, _, err := clients.RevokeAllTokens(t.Context()); return err }},
		{"rotate and revoke", func() error {
			_, _, err := clients.RotateSecret(t.Context(), "alice", repository.Rotation{SecretHash: secretHash, RevokeTokens: true}, nil)
			return err
		}},
		{"disable", func() error { _, err := clients.Disable(t.Context(), "alice", nil); return err }},
		{"enable", func() error { _, err := clients.Enable(t.Context(), "alice", nil); return err }},
		{"update", func() error { _, err := clients.Update(t.Context(), "alice", repository.Changes{}, nil); return err }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := instant(); got != latest {
			t.Errorf("%s: %s, want %s", step.name, got, latest)
		}
		if s.Active("api", secret, token) {
			t.Errorf("%s: the token is active again", step.name)
		}
	}
}

// Ory Hydra read bodies of any length into memory, at an endpoint without authentication. Here every
// endpoint stops at 64 KiB, whether or not a length is declared.
func TestHydraBodyWithoutALimit(t *testing.T) {
	s := register(apptest.Embedded(t))
	for _, path := range []string{"/token", "/introspect", "/revoke", "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
		for _, user := range []string{"alice", ""} {
			for name, declared := range map[string]int64{"declared": 1 << 30, "chunked": -1} {
				request := request(t, s.URL+path, "")
				request.Body, request.ContentLength = io.NopCloser(endless{}), declared
				if user != "" {
					request.SetBasicAuth(user, secret)
				}
				answer := s.Do(request)
				if answer.Status != http.StatusRequestEntityTooLarge || answer.Text("error") != "invalid_request" {
					t.Errorf("%s, %s, by %q: %d %s", path, name, user, answer.Status, answer.Body)
				}
			}
		}
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
