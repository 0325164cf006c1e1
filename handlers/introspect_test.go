package handlers_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/tokens"
)

const inactive = `{"active":false}`

func TestIntrospectActive(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		before := time.Now().Unix()
		token := s.Token("alice", secret)
		for _, path := range []string{"/introspect", "/oauth2/introspect"} {
			for _, caller := range []string{"alice", "api"} {
				answer := s.Post(path, caller, secret, "token_type_hint=refresh_token&token="+token)
				issued, _ := answer.JSON()["iat"].(float64)
				if int64(issued) < before || int64(issued) > time.Now().Unix() {
					t.Errorf("iat %v", answer.JSON()["iat"])
				}
				want := fmt.Sprintf(`{"active":true,"client_id":"alice","scope":"read write","token_type":"Bearer","iat":%d,"exp":%d,"iss":"http://localhost:8080","jti":"%s"}`,
					int64(issued), int64(issued)+3600, tokens.ID(token))
				if answer.Status != 200 || answer.Body != want {
					t.Errorf("%s by %s: got %d %s, want %s", path, caller, answer.Status, answer.Body, want)
				}
				checkCommonHeaders(t, answer)
			}
		}
	})
}

func TestIntrospectInactive(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		last := map[byte]string{'A': "Q", 'Q': "A"}[token[len(token)-1]]
		if last == "" {
			last = "A"
		}
		for name, row := range map[string][2]string{
			"another client's":    {"bob", token},
			"unknown":             {"api", tokens.Mint("chit")},
			"a secret":            {"api", tokens.Mint("chits")},
			"garbage":             {"api", "garbage"},
			"cut short":           {"api", token[:len(token)-1]},
			"longer":              {"api", token + "A"},
			"another last letter": {"api", token[:len(token)-1] + last},
			"in lower case":       {"api", "chit_" + lower(token[5:])},
			"without its prefix":  {"api", token[5:]},
			"with a space":        {"api", token + " "},
			"its id":              {"api", tokens.ID(token)},
			"NUL":                 {"api", "\x00"},
			"of 60,000 letters":   {"api", fmt.Sprintf("%060000d", 0)},
		} {
			answer := s.Post("/introspect", row[0], secret, url.Values{"token": {row[1]}}.Encode())
			if answer.Status != 200 || answer.Body != inactive {
				t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
			}
			checkCommonHeaders(t, answer)
		}
		if !s.Active("alice", secret, token) {
			t.Error("the token itself is inactive")
		}
	})
}

func lower(text string) string {
	bytes := []byte(text)
	for i, c := range bytes {
		if c >= 'A' && c <= 'Z' {
			bytes[i] = c + 'a' - 'A'
		}
	}
	return string(bytes)
}

func TestIntrospectWithoutToken(t *testing.T) {
	s := register(apptest.Embedded(t))
	for _, form := range []string{"", "token=", "token_type_hint=access_token"} {
		if answer := s.Post("/introspect", "api", secret, form); answer.Status != 400 || answer.Text("error") != "invalid_request" {
			t.Errorf("%q: %d %s", form, answer.Status, answer.Body)
		}
	}
}

func TestIssuerIsSet(t *testing.T) {
	s := register(apptest.Embedded(t, "--issuer=https://auth.example.com/m2m"))
	answer := s.Post("/introspect", "api", secret, "token="+s.Token("alice", secret))
	if answer.Text("iss") != "https://auth.example.com/m2m" {
		t.Errorf("got %s", answer.Body)
	}
}

// A token becomes inactive when its lifetime ends.
func TestTokenExpires(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		if !s.Active("api", secret, token) {
			t.Fatal("inactive at once")
		}
		wait(t, "the token to expire", func() bool { return !s.Active("api", secret, token) })
		wait(t, "every key to expire", func() bool { return s.RedisCLI("DBSIZE") == "0" })
	}, "--token-ttl=1s")
}

// wait waits until done returns true.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !within(10*time.Second, done) {
		t.Fatal("waited in vain for", what)
	}
}

// within reports whether done returns true before the limit.
func within(limit time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// A change by any SQL statement is in force within a second.
func TestSQLIsInForceWithinASecond(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		for _, step := range []struct {
			name, sql string
			active    bool // the token of alice
			status    int  // of a token request by alice
			scope     string
		}{
			{"nothing", "SELECT 1", true, 200, "read write"},
			{"other scopes", "UPDATE oauth_client SET allowed_scopes = 'read delete' WHERE client_id = 'alice'", true, 200, "read delete"},
			{"disabled", "UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'alice'", false, 401, ""},
			{"enabled", "UPDATE oauth_client SET disabled_at = NULL WHERE client_id = 'alice'", true, 200, "read delete"},
			{"another secret", "UPDATE oauth_client SET client_secret_hash = 'x' WHERE client_id = 'alice'", true, 401, ""},
			{"the old one retired", "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('alice', '" + secretHash + "', '2999-01-01 00:00:00')", true, 200, "read delete"},
			{"deleted", "DELETE FROM oauth_client WHERE client_id = 'alice'", false, 401, ""},
			{"made again: the retired secret is gone", "INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('alice', 'x')", true, 401, ""},
			{"with the secret", "UPDATE oauth_client SET client_secret_hash = '" + secretHash + "' WHERE client_id = 'alice'", true, 200, ""},
			{"tokens revoked", "UPDATE oauth_client SET tokens_revoked_before = '2999-01-01 00:00:00' WHERE client_id = 'alice'", false, 200, ""},
		} {
			s.Exec(step.sql)
			var active bool
			var answer apptest.Answer
			if !within(time.Second, func() bool {
				active = s.Active("api", secret, token)
				answer = s.Post("/token", "alice", secret, "grant_type=client_credentials")
				return active == step.active && answer.Status == step.status && answer.Text("scope") == step.scope
			}) {
				t.Errorf("%s: active is %t; %d %s", step.name, active, answer.Status, answer.Body)
			}
		}
	})
}

// A token that is issued right after tokens_revoked_before is active.
func TestRevokedBeforeIsAnInstant(t *testing.T) {
	s := register(apptest.Real(t))
	caught := s.Token("alice", secret)
	s.Exec("UPDATE oauth_client SET tokens_revoked_before = now() WHERE client_id = 'alice'")
	free := s.Token("alice", secret)
	if !within(time.Second, func() bool { return !s.Active("api", secret, caught) }) {
		t.Error("what was issued before is active")
	}
	if !s.Active("api", secret, free) {
		t.Error("what was issued after is inactive")
	}
}

func TestInsertAfterARefusedTry(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		if answer := s.Post("/token", "late", secret, "grant_type=client_credentials"); answer.Status != 401 {
			t.Fatalf("got %d %s", answer.Status, answer.Body)
		}
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public) VALUES ('late', '" + secretHash + "', 'Machine Client', '', 'openid profile', 'client_credentials', false);")
		s.Token("late", secret)
	})
}
