package handlers_test

import (
	"testing"

	"chit/app/apptest"
	"chit/tokens"
)

func TestRevoke(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for _, path := range []string{"/revoke", "/oauth2/revoke"} {
			token, other := s.Token("alice", secret), s.Token("alice", secret)
			for _, time := range []string{"first", "second"} {
				answer := s.Post(path, "alice", secret, "token="+token+"&token_type_hint=access_token")
				if answer.Status != 200 || answer.Body != "" || answer.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s, %s time: %d %q %q", path, time, answer.Status, answer.Body, answer.Header.Get("Content-Type"))
				}
				checkCommonHeaders(t, answer)
			}
			if s.Active("api", secret, token) || !s.Active("api", secret, other) {
				t.Errorf("%s: revoked: active is %t; another one: active is %t", path, s.Active("api", secret, token), s.Active("api", secret, other))
			}
			if score := s.RedisCLI("ZSCORE", "oauth:client:alice:tokens", tokens.ID(token)); score != "" {
				t.Errorf("%s: it is still in the client's list", path)
			}
		}
	})
}

func TestRevokeRules(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		for _, row := range []struct {
			name, user, form string
			status           int
			code             string
		}{
			{"unknown token", "alice", "token=" + tokens.Mint("chit"), 200, ""},
			{"garbage", "alice", "token=garbage", 200, ""},
			{"token missing", "alice", "", 400, "invalid_request"},
			{"another client's token", "bob", "token=" + token, 400, "unauthorized_client"},
			{"a resource server is another client too", "api", "token=" + token, 400, "unauthorized_client"},
		} {
			answer := s.Post("/revoke", row.user, secret, row.form)
			if answer.Status != row.status || answer.Text("error") != row.code {
				t.Errorf("%s: got %d %s, want %d %s", row.name, answer.Status, answer.Body, row.status, row.code)
			}
		}
		if !s.Active("api", secret, token) {
			t.Error("the token did not stay as it is")
		}
	})
}

// The documented way of an operator: DEL in Redis.
func TestDeleteInRedis(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		token := s.Token("alice", secret)
		if !s.Active("api", secret, token) {
			t.Fatal("inactive at once")
		}
		if deleted := s.RedisCLI("DEL", "oauth:token:"+tokens.ID(token)); deleted != "1" {
			t.Fatalf("DEL said %q", deleted)
		}
		if s.Active("api", secret, token) {
			t.Error("active without its key")
		}
	})
}
