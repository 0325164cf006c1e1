package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// rotated is the JSON output of chit client rotate-secret and show.
type rotated struct {
	Secret    string `json:"client_secret"`
	ExpiresAt *int64 `json:"client_secret_expires_at"`
	Revoked   int64  `json:"tokens_revoked_before"`
	Retired   []struct {
		ExpiresAt  int64  `json:"expires_at"`
		LastUsedAt *int64 `json:"last_used_at"`
	} `json:"retired_secrets"`
}

func rotate(t *testing.T, env []string, args ...string) (r rotated) {
	t.Helper()
	got := apptest.Chit(t, env, append([]string{"client", "rotate-secret", "billing-job", "--output=json"}, args...)...)
	if err := json.Unmarshal([]byte(got.Stdout), &r); err != nil || got.Status != 0 || !secretFormat.MatchString(r.Secret) || r.ExpiresAt == nil || *r.ExpiresAt != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	return r
}

// During the overlap both secrets work. Afterwards only the new one does.
func TestRotatedSecretWorksForTheOverlap(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		opens := func(secret string) bool {
			return p.Post("/token", "billing-job", secret, tokenPlease).Status == http.StatusOK
		}
		first := apptest.Create(t, env, "billing-job").ClientSecret
		token := p.Token("billing-job", first)
		second := rotate(t, env, "--overlap=3s")
		ends := time.Now().Add(3 * time.Second)
		if !opens(second.Secret) || !opens(first) || len(second.Retired) != 1 || second.Revoked != 0 {
			t.Errorf("%+v", second)
		}
		if p.Post("/introspect", "billing-job", second.Secret, "token="+token).JSON()["active"] != true {
			t.Error("a token from before is inactive")
		}
		time.Sleep(time.Until(ends) - time.Second)
		if !opens(first) {
			t.Error("the old secret ends early")
		}
		apptest.Eventually(t, 3*time.Second, "the old secret ends", func() bool { return !opens(first) })
		third := rotate(t, env, "--overlap=0s", "--yes")
		if !opens(third.Secret) || len(third.Retired) != 0 {
			t.Errorf("%+v", third)
		}
		apptest.Eventually(t, apptest.Soon, "without overlap the old secret ends", func() bool { return !opens(second.Secret) })
	})
}

// A leaked secret is used all the time during its rotation. No token that it obtained is active afterwards.
func TestRotationWithRevocationLeavesNoToken(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		leaked := apptest.Create(t, env, "billing-job").ClientSecret
		got := make(chan []string)
		stop := make(chan struct{})
		go func() {
			var tokens []string
			for {
				select {
				case <-stop:
					got <- tokens
					return
				default:
				}
				answer := p.Post("/token", "billing-job", leaked, tokenPlease)
				if answer.Status == http.StatusOK {
					tokens = append(tokens, answer.Text("access_token"))
				}
			}
		}()
		time.Sleep(100 * time.Millisecond)
		fresh := rotate(t, env, "--revoke-tokens", "--yes")
		time.Sleep(100 * time.Millisecond)
		close(stop)
		tokens := <-got
		if len(tokens) == 0 {
			t.Fatal("the leaked secret got no token at all")
		}
		for _, token := range tokens {
			if p.Post("/introspect", "billing-job", fresh.Secret, "token="+token).JSON()["active"] != false {
				t.Errorf("a token of %d is active", len(tokens))
			}
		}
		if p.Post("/introspect", "billing-job", fresh.Secret, "token="+p.Token("billing-job", fresh.Secret)).JSON()["active"] != true {
			t.Error("a token of the new secret is inactive")
		}
	}, "CHIT_THROTTLE_CLIENT=0") // otherwise the leaked secret would soon be blocked at this address
}

// On a database that was not migrated, a newer chit says what to do.
func TestCommandsOnAnOlderSchema(t *testing.T) {
	t.Parallel()
	database := apptest.Migrated(t)
	env := []string{"CHIT_DATABASE_URL=" + database}
	apptest.Create(t, env, "billing-job")
	apptest.Psql(t, database, "ALTER TABLE oauth_client_retired_secret DROP COLUMN last_used_at")
	for _, args := range [][]string{{"client", "show", "billing-job"}, {"client", "update", "billing-job", "--name=x"}} {
		apptest.Chit(t, env, args...).Fails(t, "the database lacks a migration: run `chit migrate up`")
	}
	if list := apptest.Chit(t, env, "client", "list"); list.Status != 0 || strings.Contains(list.Stdout, " x ") {
		t.Errorf("%+v", list)
	}
}
