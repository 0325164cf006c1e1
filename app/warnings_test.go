package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// warns waits until the log has a warning with all of these words.
func warns(t *testing.T, p *apptest.Process, words ...string) {
	t.Helper()
	apptest.Eventually(t, 5*time.Second, "a warning of "+strings.Join(words, ", "), func() bool { return warnings(p, words...) > 0 })
}

// warnings returns the number of warnings in the log that contain all of these words.
func warnings(p *apptest.Process, words ...string) (found int) {
	for line := range strings.Lines(p.Stderr.String()) {
		all := strings.Contains(line, `"WARN"`) || strings.Contains(line, "level=WARN")
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			found++
		}
	}
	return found
}

// During a rolling upgrade, nodes of the old version work on the newer schema, and warn when they start.
func TestServerOnANewerSchema(t *testing.T) {
	t.Parallel()
	database := apptest.Migrated(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL}
	if first := apptest.StartChit(t, env); warnings(first, "schema") != 0 {
		t.Error("it warns of its own schema")
	}
	apptest.Psql(t, database, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	second := apptest.StartChit(t, env)
	warns(t, second, "the database schema is newer than this program", `"schema_version":99`)
	if got := apptest.Get(t, second.URL+"/readyz"); got.Status != http.StatusOK {
		t.Errorf("/readyz: %d %s", got.Status, got.Body)
	}
	status := apptest.Chit(t, env, "migrate", "status")
	if status.Status != 0 || !strings.Contains(status.Stdout, "99  of a later version of chit") {
		t.Errorf("migrate status: %+v", status)
	}
}

// The server warns if Redis may evict tokens, also if the policy is changed later.
func TestServerOnARedisThatEvicts(t *testing.T) {
	t.Parallel()
	const words = "Redis may evict tokens"
	database := apptest.Migrated(t)
	redis := apptest.StartRedis(t, "--maxmemory-policy", "allkeys-lru")
	p := apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL})
	warns(t, p, words, "noeviction", `"policy":"allkeys-lru"`)
	redis.CLI("CONFIG", "SET", "maxmemory-policy", "noeviction")
	time.Sleep(2 * time.Second)
	if warnings(p, words) != 1 {
		t.Errorf("it is said more than once, or of noeviction: %s", p.Stderr.String())
	}
	redis.CLI("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	warns(t, p, words, `"policy":"volatile-ttl"`)
}

func TestClusterThatEvicts(t *testing.T) {
	t.Parallel()
	cluster := apptest.StartRedisCluster(t)
	p := apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + cluster.URL})
	if warnings(p, "evict") != 0 {
		t.Errorf("it warns of noeviction: %s", p.Stderr.String())
	}
	cluster.Nodes[1].CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	warns(t, p, "Redis may evict tokens", `"policy":"allkeys-random"`, cluster.Nodes[1].Addr)
}

// The server warns once of an expired certificate, at the start and when it expires later.
func TestServerWithAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	const words = "the certificate has expired"
	ca := apptest.NewAuthority(t)
	over, ending := ca.IssueUntil(time.Now().Add(-time.Second), "over.test"), ca.IssueUntil(time.Now().Add(5*time.Second), "ending.test")
	p := apptest.StartChit(t, nil, "--tls-cert="+over.Cert, "--tls-key="+over.Key, "--ops-tls-cert="+ending.Cert, "--ops-tls-key="+ending.Key)
	warns(t, p, words, over.Cert)
	if warnings(p, words, ending.Cert) != 0 {
		t.Error("it warns early")
	}
	apptest.Eventually(t, 10*time.Second, "the second one expires", func() bool {
		for _, url := range []string{p.URL, p.OpsURL} {
			if _, err := presented(t, url, ca.Trust()); err == nil && url == p.URL {
				t.Fatal("a client takes an expired certificate")
			}
		}
		return warnings(p, words, ending.Cert) > 0
	})
	time.Sleep(1500 * time.Millisecond)
	_, _ = presented(t, p.OpsURL, ca.Trust()) // a handshake reads the files
	if warnings(p, words) != 2 {
		t.Errorf("it is said more than once each: %s", p.Stderr.String())
	}
}

// A loss of the notifications is logged once, and so is its end, at the same level.
func TestLossAndRecoveryOfTheListener(t *testing.T) {
	t.Parallel()
	const loss, again = "no notifications of client changes arrive", "notifications of client changes arrive again"
	postgres := apptest.StartPostgreSQL(t)
	p := apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + postgres.URL, "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL})
	for round := 1; round <= 2; round++ {
		postgres.Stop()
		time.Sleep(2 * time.Second) // time for several attempts
		postgres.Start()
		apptest.Eventually(t, 5*time.Second, "it listens again", func() bool { return warnings(p, again) == round })
		if got := warnings(p, loss); got != round {
			t.Errorf("%d losses are logged, of %d:\n%s", got, round, p.Stderr.String())
		}
	}
	apptest.Psql(t, postgres.URL, "ALTER TABLE oauth_client DISABLE TRIGGER USER")
	warns(t, p, "triggers on the client tables are missing or disabled")
	time.Sleep(time.Second)
	apptest.Psql(t, postgres.URL, "ALTER TABLE oauth_client ENABLE TRIGGER USER")
	apptest.Eventually(t, 5*time.Second, "it hears again", func() bool { return warnings(p, again) == 3 })
	if got := warnings(p, "triggers"); got != 1 {
		t.Errorf("the triggers are missed %d times", got)
	}
}
