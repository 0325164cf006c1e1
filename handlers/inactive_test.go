package handlers_test

import (
	"fmt"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// The log says why a token was inactive. The answer does not.
func TestLogSaysWhyATokenIsInactive(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		register(s)
		asked := func(caller, token string, want models.Inactive, id string) {
			t.Helper()
			if answer := s.Post("/introspect", caller, secret, "token="+token); answer.Body != inactive {
				t.Errorf("%s: %d %s", want, answer.Status, answer.Body)
			}
			all := lines(t, s)
			last := all[len(all)-1]
			if reason, jti := text(last["reason"]), text(last["jti"]); reason != string(want) || jti != id || last["level"] != "INFO" {
				t.Errorf("%s: the line is %v", want, last)
			}
		}
		bobs := s.Token("bob", secret)
		asked("api", "chit_NONSENSE", models.TokenMalformed, "")
		unknown := tokens.Mint("chit")
		asked("api", unknown, models.TokenUnknown, tokens.ID(unknown))
		asked("alice", bobs, models.TokenNotForCaller, tokens.ID(bobs))

		kept := func(age, lifetime time.Duration) (token string) {
			token = tokens.Mint("chit")
			issued := time.Now().Add(-age).Unix()
			s.RedisCLI("SET", "oauth:token:"+tokens.ID(token), fmt.Sprintf(`{"client_id":"bob","iat":%d,"exp":%d,"us":0}`, issued, issued+int64(lifetime.Seconds())))
			return token
		}
		expired := kept(time.Hour, time.Minute)
		asked("api", expired, models.TokenExpired, tokens.ID(expired))
		former := kept(2*time.Minute, time.Hour)
		asked("api", former, models.TokenOfFormer, tokens.ID(former))

		for _, change := range []struct {
			sql  string
			want models.Inactive
		}{
			{"UPDATE oauth_client SET tokens_revoked_before = CURRENT_TIMESTAMP WHERE client_id = 'bob'", models.TokenRevoked},
			{"UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'bob'", models.TokenOfDisabled},
			{"DELETE FROM oauth_client WHERE client_id = 'bob'", models.TokenOfUnknown},
		} {
			time.Sleep(time.Second) // CURRENT_TIMESTAMP of SQLite has whole seconds
			s.Exec(change.sql)
			within(time.Second, func() bool {
				s.Post("/introspect", "api", secret, "token="+bobs)
				all := lines(t, s)
				return text(all[len(all)-1]["reason"]) == string(change.want)
			})
			asked("api", bobs, change.want, tokens.ID(bobs))
		}
	})
}

// Revoking a token that does not exist is no error, and the log shows that nothing was revoked.
func TestLogSaysThatThereWasNothingToRevoke(t *testing.T) {
	s := register(apptest.Embedded(t))
	token := s.Token("alice", secret)
	for _, want := range []string{"", string(models.TokenUnknown)} {
		s.Post("/revoke", "alice", secret, "token="+token)
		all := lines(t, s)
		if last := all[len(all)-1]; text(last["reason"]) != want || last["jti"] != tokens.ID(token) {
			t.Errorf("want %q: %v", want, last)
		}
	}
}

func text(member any) string {
	if member == nil {
		return ""
	}
	return fmt.Sprint(member)
}
