package cli_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// eachKind runs a test with commands and a server, embedded and on PostgreSQL and Redis.
func eachKind(t *testing.T, test func(t *testing.T, env []string, p *apptest.Process), settings ...string) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		env := []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}
		test(t, env, apptest.StartChit(t, slices.Concat(settings, env)))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL}
		test(t, env, apptest.StartChit(t, slices.Concat(settings, env)))
	})
}

// A token is revoked by its id or by the token itself. No other token is affected.
func TestTokenCommands(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		secret := apptest.Create(t, env, "billing-job", "--scope=read write").ClientSecret
		active := func(token string) bool {
			return p.Post("/introspect", "billing-job", secret, "token="+token).JSON()["active"] == true
		}
		apptest.Chit(t, env, "token", "list", "--client", "billing-job", "-o", "json").Says(t, "[]\n")
		apptest.Chit(t, env, "token", "list", "--client", "billing-job").Says(t, "JTI ")
		apptest.Chit(t, env, "token", "list", "--client", "nobody").Fails(t, `there is no client "nobody"`)

		one, two, three := p.Token("billing-job", secret), p.Token("billing-job", secret), p.Token("billing-job", secret)
		apptest.Chit(t, env, "token", "list", "--client", "billing-job").Says(t, tokens.ID(two))
		apptest.Chit(t, env, "token", "inspect", "--id", tokens.ID(one)).Says(t, "STATE          active ")
		apptest.ChitWith(t, one+"\r\n", env, "token", "inspect", "--token", "-").Says(t, tokens.ID(one))

		apptest.Chit(t, env, "token", "revoke", "--id", tokens.ID(one)).Says(t, "token "+tokens.ID(one)+" of billing-job is revoked\n")
		if active(one) || !active(two) {
			t.Error("by id the wrong token is revoked")
		}
		apptest.ChitWith(t, two, env, "token", "revoke", "--token=-", "--output=json").Says(t, `"active": false`)
		if active(two) || !active(three) {
			t.Error("from standard input the wrong token is revoked")
		}
		const gone = "no such token: it has expired, was revoked, or was never issued"
		apptest.Chit(t, env, "token", "revoke", "--id", tokens.ID(one)).Fails(t, gone)
		apptest.ChitWith(t, two, env, "token", "revoke", "--token", "-").Fails(t, gone)
		apptest.ChitWith(t, two, env, "token", "inspect", "--token", "-").Fails(t, gone)
		apptest.ChitWith(t, two[:60], env, "token", "revoke", "--token", "-").Fails(t, "no such token: the text is not a token, its form or its checksum is wrong")
	})
}

// A client that was disabled by the command has no active tokens when it is enabled again.
func TestClientIsSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		secret, api := apptest.Create(t, env, "billing-job").ClientSecret, apptest.Create(t, env, "api", "--resource-server").ClientSecret
		active := func(token string) bool {
			return p.Post("/introspect", "api", api, "token="+token).JSON()["active"] == true
		}
		before := p.Token("billing-job", secret)
		apptest.Chit(t, env, "client", "disable", "billing-job", "--yes").Says(t, "; 1 key was removed from Redis\n")
		apptest.Eventually(t, apptest.Soon, "the client is refused", func() bool {
			return p.Post("/token", "billing-job", secret, tokenPlease).Status == http.StatusUnauthorized
		})
		apptest.Chit(t, env, "client", "enable", "billing-job").Says(t, "ROLE ")
		var after string
		apptest.Eventually(t, apptest.Soon, "it gets tokens again", func() bool {
			after = p.Post("/token", "billing-job", secret, tokenPlease).Text("access_token")
			return active(after)
		})
		if active(before) {
			t.Error("a token from before is active")
		}
		apptest.Chit(t, env, "client", "delete", "billing-job", "--yes").Says(t, "client billing-job is deleted, and its tokens are inactive; ")
		apptest.Eventually(t, apptest.Soon, "its token is inactive", func() bool { return !active(after) })
	})
}

// The JSON names are those of introspection.
func TestTokenOutputHasExactlyTheseMembers(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *apptest.Process) {
		client := apptest.Create(t, env, "billing-job", "--scope=read", "--ttl=15m")
		token := p.Token("billing-job", client.ClientSecret)
		var listed []map[string]any
		if err := json.Unmarshal([]byte(apptest.Chit(t, env, "token", "list", "--client=billing-job", "--output=json").Stdout), &listed); err != nil || len(listed) != 1 {
			t.Fatalf("%v, %v", listed, err)
		}
		var inspected map[string]any
		if err := json.Unmarshal([]byte(apptest.Chit(t, env, "token", "inspect", "--id", tokens.ID(token), "--output=json").Stdout), &inspected); err != nil {
			t.Fatal(err)
		}
		issued, _ := inspected["iat"].(float64)
		want := map[string]any{"active": true, "jti": tokens.ID(token), "client_id": "billing-job", "scope": "read", "iat": issued, "exp": issued + 900}
		if !reflect.DeepEqual(inspected, want) || !reflect.DeepEqual(listed[0], want) || time.Since(time.Unix(int64(issued), 0)) > time.Minute {
			t.Errorf("inspected %v, listed %v, want %v", inspected, listed[0], want)
		}
	})
}

// While Redis has the key of an inactive token, the command shows why it is inactive.
func TestInspectSaysWhyATokenIsInactive(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL}
	store := &tokens.Store{Redis: redis.Client(), Prefix: "chit", Now: time.Now}
	issue := func() string {
		_, issued, err := store.Issue(t.Context(), models.Grant{ClientID: "billing-job", TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return issued.ID
	}
	id := issue()
	for _, row := range []struct{ sql, want string }{
		{"SELECT 1", "inactive: its client does not exist"},
		{"INSERT INTO oauth_client (client_id) VALUES ('billing-job')", "active"},
		{"UPDATE oauth_client SET disabled_at = now()", "inactive: its client is disabled"},
		{"UPDATE oauth_client SET disabled_at = NULL, tokens_revoked_before = now()", "inactive: revoked with all tokens of its client"},
	} {
		apptest.Psql(t, database, row.sql)
		got := apptest.Chit(t, env, "token", "inspect", "--id", id)
		if got.Status != 0 || strings.TrimSpace(strings.TrimPrefix(strings.SplitN(got.Stdout, "\n", 2)[0], "STATE")) != row.want {
			t.Errorf("%s: want %q: %+v", row.sql, row.want, got)
		}
		list := apptest.Chit(t, env, "token", "list", "--client", "billing-job").Stdout
		if yes := strings.Contains(list, "  yes "); !strings.Contains(list, id) || yes != (row.want == "active") {
			t.Errorf("%s: it lists\n%s", row.sql, list)
		}
	}
}

// A long list is written while it is read.
func TestTokenListOfMany(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	got := apptest.Chit(t, r.env, "token", "list", "--client", "billing-job", "--output", "json")
	var listed []struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal([]byte(got.Stdout), &listed); err != nil || len(listed) != many {
		t.Fatalf("%d tokens, %v: %s", len(listed), err, got.Stderr)
	}
	table := apptest.Chit(t, r.env, "token", "list", "--client", "billing-job").Stdout
	if lines := strings.Count(table, "\n"); lines != many+1 || !strings.Contains(table, listed[many-1].ID) {
		t.Errorf("%d lines", lines)
	}
	stopping := startProxy(t, r.redis.URL)
	stopping.at(1001, "get", stopping.close)
	broken := apptest.Chit(t, []string{r.env[0], "CHIT_REDIS_URL=" + stopping.URL}, "token", "list", "--client", "billing-job")
	if broken.Status != 1 || strings.Count(broken.Stdout, "\n") != 1001 || !strings.HasPrefix(broken.Stderr, "chit: redis: ") {
		t.Errorf("without Redis: status %d, %d lines, %s", broken.Status, strings.Count(broken.Stdout, "\n"), broken.Stderr)
	}
}

// If Redis refuses the password, the command names the setting and the address.
func TestTokenCommandsThatRedisRefuses(t *testing.T) {
	t.Parallel()
	redis := apptest.StartRedis(t, "--requirepass", "another")
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.WithPassword(t, redis.URL)}
	for _, args := range []string{"token list --client billing-job", "token inspect --id " + strings.Repeat("0", 64)} {
		got := apptest.Chit(t, env, strings.Fields(args)...)
		if want := "chit: the server at " + redis.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: "; got.Status != 1 || !strings.HasPrefix(got.Stderr, want) || strings.Contains(got.Stderr, apptest.Password) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
