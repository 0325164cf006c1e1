package app_test

import (
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// With the setting, the events of every node and of the command line are in Redis. Without it there is no such
// key.
func TestEventsInRedis(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL, "CHIT_AUDIT_LOG=-"}
	p := apptest.StartChit(t, env)
	secret := apptest.Create(t, env, "job").ClientSecret
	p.Token("job", secret)
	p.Post("/token", "job", "wrong", tokenPlease)
	if got := redis.CLI("KEYS", "oauth:audit:*"); got != "" {
		t.Errorf("without the setting: %s", got)
	}

	env = append(env, "CHIT_AUDIT_REDIS=100")
	with := apptest.StartChit(t, env)
	with.Token("job", secret)
	with.Post("/token", "job", "wrong", tokenPlease)
	for _, command := range [][]string{
		{"client", "update", "job", "--name=New"}, {"client", "rotate-secret", "job", "--overlap=1h"}, {"client", "disable", "job", "--yes"}, {"client", "enable", "job"},
	} {
		if got := apptest.Chit(t, env, command...); got.Status != 0 {
			t.Fatalf("%s: %s", command, got.Stderr)
		}
	}
	for _, event := range []string{"authentication_refused", "client_updated", "client_secret_rotated", "client_disabled", "client_enabled"} {
		apptest.Eventually(t, 10*time.Second, event, func() bool {
			return strings.Contains(redis.CLI("XRANGE", "oauth:audit:"+event, "-", "+"), event)
		})
	}
	for _, key := range strings.Fields(redis.CLI("KEYS", "oauth:audit:*")) {
		if all := redis.CLI("XRANGE", key, "-", "+"); key == "oauth:audit:token_issued" || strings.Contains(all, secret) {
			t.Errorf("%s: %s", key, all)
		}
	}
	for _, wrong := range []string{"-1", "100001"} {
		if got := apptest.Chit(t, nil, "serve", "--audit-redis="+wrong); got.Status != 2 || !strings.Contains(got.Stderr, "CHIT_AUDIT_REDIS: "+wrong+" is not a number from 0 to 100000") {
			t.Errorf("%+v", got)
		}
	}
}

// A command whose event cannot be kept in Redis has made its change, and says what is missing.
func TestEventsWithoutRedis(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL, "CHIT_AUDIT_LOG=" + t.TempDir() + "/log", "CHIT_AUDIT_REDIS=100"}
	redis.Stop()
	got := apptest.Chit(t, env, "client", "create", "job")
	if got.Status != 1 || !strings.Contains(got.Stderr, "the change is made, but not noted in the audit log") {
		t.Errorf("%+v", got)
	}
	if left := apptest.Psql(t, database, "SELECT count(*) FROM oauth_client"); left != "1" {
		t.Errorf("%s clients", left)
	}
}
