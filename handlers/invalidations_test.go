package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// aliceClient is the event that says that alice has changed.
const aliceClient = `client {"client_id":"alice"}`

// TestEveryEndIsOnTheStream ends tokens in every way and expects exactly one event.
func TestEveryEndIsOnTheStream(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		stream := s.Receive("api", secret)
		stream.Quiet(1)
		for _, c := range []struct {
			name string
			end  func(token, jti string)
			want string // the event and its data
		}{
			{"/revoke", func(token, _ string) { s.Post("/revoke", "alice", secret, "token="+token) }, `token {"jti":"JTI"}`},
			{"DEL", func(_, jti string) { s.RedisCLI("DEL", "oauth:token:"+jti) }, `token {"jti":"JTI"}`},
			{"UNLINK", func(_, jti string) { s.RedisCLI("UNLINK", "oauth:token:"+jti) }, `token {"jti":"JTI"}`},
			{"GETDEL", func(_, jti string) { s.RedisCLI("GETDEL", "oauth:token:"+jti) }, `token {"jti":"JTI"}`},
			{"RENAME", func(_, jti string) { s.RedisCLI("RENAME", "oauth:token:"+jti, "other") }, `token {"jti":"JTI"}`},
			{"MOVE", func(_, jti string) { s.RedisCLI("MOVE", "oauth:token:"+jti, "1") }, `token {"jti":"JTI"}`},
			{"tokens_revoked_before", func(_, _ string) {
				s.Exec("UPDATE oauth_client SET tokens_revoked_before = CURRENT_TIMESTAMP WHERE client_id = 'alice'")
			}, aliceClient},
			{"disabled_at", func(_, _ string) {
				s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'alice'")
			}, aliceClient},
		} {
			token := s.Token("alice", secret)
			jti := tokens.ID(token)
			if s.Active("api", secret, token); !s.Active("api", secret, token) {
				t.Fatalf("%s: the new token is inactive", c.name)
			}
			began := time.Now()
			c.end(token, jti)
			event := stream.NextChange()
			if got := event.Name + " " + strings.ReplaceAll(event.Data, jti, "JTI"); got != c.want {
				t.Errorf("%s: %s, not %s", c.name, got, c.want)
			}
			t.Logf("%s: on the stream %v after the command began", c.name, event.At.Sub(began))
			if more := stream.Quiet(1); len(more) > 0 {
				t.Errorf("%s: also %v", c.name, more)
			}
		}
		s.Exec("DELETE FROM oauth_client WHERE client_id = 'alice'")
		if event := stream.NextChange(); event.Name+" "+event.Data != aliceClient {
			t.Errorf("DELETE: %v", event)
		}
	})
}

// TestFlushIsOnTheStream empties Redis. A receiver must forget at least the token that it knows.
func TestFlushIsOnTheStream(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		stream := s.Receive("api", secret)
		for _, command := range []string{"FLUSHALL", "FLUSHDB"} {
			token := s.Token("alice", secret)
			s.Active("api", secret, token)
			s.RedisCLI(command)
			event := stream.NextChange()
			if event.Name != "all" && event.Data != `{"jti":"`+tokens.ID(token)+`"}` {
				t.Errorf("%s: %v", command, event)
			}
		}
	})
}

// TestOnlyResourceServersReceive opens streams as every kind of client.
func TestOnlyResourceServersReceive(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		for _, c := range []struct {
			name, user, secret, form string
			status                   int
			code                     string
		}{
			{"no resource server", "alice", secret, "", 403, "unauthorized_client"},
			{"wrong secret", "api", "wrong", "", 401, "invalid_client"},
			{"no credentials", "", "", "", 401, "invalid_client"},
			{"unknown client", "nobody", secret, "", 401, "invalid_client"},
			{"wrong secret in the body", "", "", "client_id=api&client_secret=wrong", 401, "invalid_client"},
			{"no resource server, in the body", "", "", "client_id=alice&client_secret=" + secret, 403, "unauthorized_client"},
		} {
			answer := s.Post("/invalidations", c.user, c.secret, c.form)
			if c.form == "" {
				answer = s.GetAs("/oauth2/invalidations", c.user, c.secret)
			}
			if answer.Status != c.status || answer.Text("error") != c.code {
				t.Errorf("%s: %d %s", c.name, answer.Status, answer.Body)
			}
		}
		if answer := s.GetAs("/invalidations?client_secret="+secret, "api", secret); answer.Status != 400 {
			t.Errorf("a secret in the query: %d %s", answer.Status, answer.Body)
		}
		s.ReceiveByForm("client_id=api&client_secret=" + secret).Quiet(1)
	})
}

// TestReceiverThatChanges changes the client of a receiver.
func TestReceiverThatChanges(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		for _, change := range []string{"is_resource_server = false", "disabled_at = CURRENT_TIMESTAMP", "client_secret_hash = 'x'", "resource = 'https://api.example'"} {
			s.Exec("DELETE FROM oauth_client WHERE client_id IN ('alice', 'bob', 'scopeless', 'browser', 'public', 'hashless', 'odd id+%41', 'disabled', 'api', 'brief')")
			register(s)
			stream := s.Receive("api", secret)
			s.Exec("UPDATE oauth_client SET " + change + " WHERE client_id = 'api'")
			var names []string
			for event := stream.NextChange(); event.Name != ""; event = stream.NextChange() {
				names = append(names, event.Name)
			}
			if !slices.Contains(names, "all") {
				t.Errorf("%s: the stream ended after %v", change, names)
			}
		}
	})
}

// TestReceiverThatRotates keeps a receiver's stream for as long as the secret works with which it connected.
func TestReceiverThatRotates(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		stream := s.Receive("api", secret)
		s.Exec("INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('api', '" + models.HashSecret(secret) + "', '2099-01-01 00:00:00')")
		s.Exec("UPDATE oauth_client SET client_secret_hash = '" + models.HashSecret("new") + "' WHERE client_id = 'api'")
		stream.Quiet(6)
		s.Exec("DELETE FROM oauth_client_retired_secret WHERE client_id = 'api'")
		for stream.NextChange().Name != "" {
		}
	})
}
