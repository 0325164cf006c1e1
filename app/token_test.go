package app_test

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
func eachKind(t *testing.T, test func(t *testing.T, env []string, p *program), settings ...string) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		env := []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}
		test(t, env, start(t, slices.Concat(settings, env)))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		env := []string{"CHIT_DATABASE_URL=" + migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL}
		test(t, env, start(t, slices.Concat(settings, env)))
	})
}

// says expects success and some text.
func (r result) says(t *testing.T, want string) {
	t.Helper()
	if r.status != 0 || r.stderr != "" || !strings.Contains(r.stdout, want) {
		t.Errorf("want %q: %+v", want, r)
	}
}

// fails expects status 1 and one line.
func (r result) fails(t *testing.T, want string) {
	t.Helper()
	if r.status != 1 || r.stdout != "" || r.stderr != "chit: "+want+"\n" {
		t.Errorf("want %q: %+v", want, r)
	}
}

// A token is revoked by its id or by the token itself. No other token is affected.
func TestTokenCommands(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *program) {
		secret := create(t, env, "billing-job", "--scope=read write").ClientSecret
		active := func(token string) bool {
			return p.post("/introspect", "billing-job", secret, "token="+token).JSON()["active"] == true
		}
		chit(t, env, "token", "list", "--client", "billing-job", "-o", "json").says(t, "[]\n")
		chit(t, env, "token", "list", "--client", "billing-job").says(t, "JTI ")
		chit(t, env, "token", "list", "--client", "nobody").fails(t, `there is no client "nobody"`)

		one, two, three := p.token("billing-job", secret), p.token("billing-job", secret), p.token("billing-job", secret)
		chit(t, env, "token", "list", "--client", "billing-job").says(t, tokens.ID(two))
		chit(t, env, "token", "inspect", "--id", tokens.ID(one)).says(t, "STATE          active ")
		chitWith(t, one+"\r\n", env, "token", "inspect", "--token", "-").says(t, tokens.ID(one))

		chit(t, env, "token", "revoke", "--id", tokens.ID(one)).says(t, "token "+tokens.ID(one)+" of billing-job is revoked\n")
		if active(one) || !active(two) {
			t.Error("by id the wrong token is revoked")
		}
		chitWith(t, two, env, "token", "revoke", "--token=-", "--output=json").says(t, `"active": false`)
		if active(two) || !active(three) {
			t.Error("from standard input the wrong token is revoked")
		}
		const gone = "no such token: it has expired, was revoked, or was never issued"
		chit(t, env, "token", "revoke", "--id", tokens.ID(one)).fails(t, gone)
		chitWith(t, two, env, "token", "revoke", "--token", "-").fails(t, gone)
		chitWith(t, two, env, "token", "inspect", "--token", "-").fails(t, gone)
		chitWith(t, two[:60], env, "token", "revoke", "--token", "-").fails(t, "no such token: the text is not a token, its form or its checksum is wrong")
	})
}

// A client that was disabled by the command has no active tokens when it is enabled again.
func TestClientIsSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *program) {
		secret, api := create(t, env, "billing-job").ClientSecret, create(t, env, "api", "--resource-server").ClientSecret
		active := func(token string) bool {
			return p.post("/introspect", "api", api, "token="+token).JSON()["active"] == true
		}
		before := p.token("billing-job", secret)
		chit(t, env, "client", "disable", "billing-job", "--yes").says(t, "; 1 key was removed from Redis\n")
		eventually(t, soon, "the client is refused", func() bool {
			return p.post("/token", "billing-job", secret, tokenPlease).Status == http.StatusUnauthorized
		})
		chit(t, env, "client", "enable", "billing-job").says(t, "ROLE ")
		var after string
		eventually(t, soon, "it gets tokens again", func() bool {
			after = p.post("/token", "billing-job", secret, tokenPlease).Text("access_token")
			return active(after)
		})
		if active(before) {
			t.Error("a token from before is active")
		}
		chit(t, env, "client", "delete", "billing-job", "--yes").says(t, "client billing-job is deleted, and its tokens are inactive; ")
		eventually(t, soon, "its token is inactive", func() bool { return !active(after) })
	})
}

// The JSON names are those of introspection.
func TestTokenOutputHasExactlyTheseMembers(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, env []string, p *program) {
		client := create(t, env, "billing-job", "--scope=read", "--ttl=15m")
		token := p.token("billing-job", client.ClientSecret)
		var listed []map[string]any
		if err := json.Unmarshal([]byte(chit(t, env, "token", "list", "--client=billing-job", "--output=json").stdout), &listed); err != nil || len(listed) != 1 {
			t.Fatalf("%v, %v", listed, err)
		}
		var inspected map[string]any
		if err := json.Unmarshal([]byte(chit(t, env, "token", "inspect", "--id", tokens.ID(token), "--output=json").stdout), &inspected); err != nil {
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
	database, redis := migrated(t), apptest.StartRedis(t)
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
		got := chit(t, env, "token", "inspect", "--id", id)
		if got.status != 0 || strings.TrimSpace(strings.TrimPrefix(strings.SplitN(got.stdout, "\n", 2)[0], "STATE")) != row.want {
			t.Errorf("%s: want %q: %+v", row.sql, row.want, got)
		}
		list := chit(t, env, "token", "list", "--client", "billing-job").stdout
		if yes := strings.Contains(list, "  yes "); !strings.Contains(list, id) || yes != (row.want == "active") {
			t.Errorf("%s: it lists\n%s", row.sql, list)
		}
	}
}

// A long list is written while it is read.
func TestTokenListOfMany(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	got := chit(t, r.env, "token", "list", "--client", "billing-job", "--output", "json")
	var listed []struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &listed); err != nil || len(listed) != many {
		t.Fatalf("%d tokens, %v: %s", len(listed), err, got.stderr)
	}
	table := chit(t, r.env, "token", "list", "--client", "billing-job").stdout
	if lines := strings.Count(table, "\n"); lines != many+1 || !strings.Contains(table, listed[many-1].ID) {
		t.Errorf("%d lines", lines)
	}
	stopping := startProxy(t, r.redis.URL)
	stopping.at(1001, "get", stopping.close)
	broken := chit(t, []string{r.env[0], "CHIT_REDIS_URL=" + stopping.URL}, "token", "list", "--client", "billing-job")
	if broken.status != 1 || strings.Count(broken.stdout, "\n") != 1001 || !strings.HasPrefix(broken.stderr, "chit: redis: ") {
		t.Errorf("without Redis: status %d, %d lines, %s", broken.status, strings.Count(broken.stdout, "\n"), broken.stderr)
	}
}

// If Redis refuses the password, the command names the setting and the address.
func TestTokenCommandsThatRedisRefuses(t *testing.T) {
	t.Parallel()
	redis := apptest.StartRedis(t, "--requirepass", "another")
	env := []string{"CHIT_DATABASE_URL=" + migrated(t), "CHIT_REDIS_URL=" + withPassword(t, redis.URL)}
	for _, args := range []string{"token list --client billing-job", "token inspect --id " + strings.Repeat("0", 64)} {
		got := chit(t, env, strings.Fields(args)...)
		if want := "chit: the server at " + redis.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: "; got.status != 1 || !strings.HasPrefix(got.stderr, want) || strings.Contains(got.stderr, password) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}
