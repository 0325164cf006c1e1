package app_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
)

// What was not granted is refused.
func TestRolesMayDoNothingElse(t *testing.T) {
	t.Parallel()
	g := granted(t)
	for role, statements := range map[string][]string{
		"server": {
			"INSERT INTO oauth_client (client_id) VALUES ('x')", "UPDATE oauth_client SET client_secret_hash = 'x'", "DELETE FROM oauth_client", "TRUNCATE oauth_client",
			"INSERT INTO oauth_client_retired_secret VALUES ('x', 'x', now())", "UPDATE oauth_client_retired_secret SET expires_at = now()", "DELETE FROM oauth_client_retired_secret",
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)", "CREATE TABLE x (y int)", "CREATE TEMPORARY TABLE x (y int)", "DROP TABLE oauth_client", "SELECT * FROM pg_authid",
		},
		"operator": {"TRUNCATE oauth_client", "ALTER TABLE oauth_client ADD COLUMN x int", "DELETE FROM goose_db_version", "CREATE TABLE x (y int)", "SELECT * FROM pg_authid"},
		"revoker": {
			"SELECT client_secret_hash FROM oauth_client", "SELECT * FROM oauth_client_retired_secret", "UPDATE oauth_client SET disabled_at = NULL", "UPDATE oauth_client SET client_secret_hash = ''",
			"DELETE FROM oauth_client", "INSERT INTO oauth_client (client_id) VALUES ('x')", "CREATE TABLE x (y int)",
		},
	} {
		for _, statement := range statements {
			var refused *pgconn.PgError
			if err := g.sql(t, role, statement); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s: %s: %v", role, statement, err)
			}
		}
	}
	const token, index, throttle = " oauth:token:x", " oauth:client:x:tokens", " oauth:throttle:{x}"
	for role, commands := range map[string][]string{
		"server":   {"KEYS *", "SCAN 0", "FLUSHALL", "CONFIG GET *", "ACL LIST", "GET other", "SET other 1", "DEL" + index, "DEL" + throttle, "ZRANGE" + index + " 0 -1", "SET" + throttle + " 0", "EVAL return 0", "PUBLISH x y", "CLIENT LIST"},
		"operator": {"SET" + token + " x", "ZADD" + index + " 1 x", "KEYS *", "FLUSHALL", "DEL other", "DEL" + index, "INCR" + throttle, "ACL LIST"},
		"revoker":  {"SET" + token + " x", "ZADD" + index + " 1 x", "ZRANGEBYSCORE" + index + " 0 1", "KEYS *", "SCAN 0", "FLUSHALL", "DEL other", "DEL" + index, "DEL" + throttle, "EXPIRE" + token + " 9", "RENAME" + token + token},
	} {
		client := g.client(t, role)
		for _, command := range commands {
			var args []any
			for _, word := range strings.Fields(command) {
				args = append(args, word)
			}
			if err := client.Do(t.Context(), args...).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
				t.Errorf("%s: %s: %v", role, command, err)
			}
		}
	}
}

// In a Cluster the server needs a few more commands, which the document names.
func TestRoleInACluster(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	node := apptest.StartRedis(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
	node.CLI("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	for _, block := range leastPrivilege(t) {
		if strings.Contains(block[2], "SETUSER chit-server") {
			cmd := exec.Command(bash, "-c", block[2])
			cmd.Env = append(os.Environ(), "CHIT_REDIS_URL="+node.URL, "SECRET="+apptest.Password)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "OK\n" {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
	apptest.Eventually(t, 10*time.Second, "the cluster", func() bool { return strings.Contains(node.CLI("CLUSTER", "INFO"), "cluster_state:ok") })
	node.CLI("ACL", "SETUSER", "chit-server", "+cluster|slots", "+asking")
	database := apptest.Migrated(t)
	p := apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=redis://chit-server:" + apptest.Password + "@" + node.Addr + "?addr=" + node.Addr})
	secret := apptest.Create(t, []string{"CHIT_DATABASE_URL=" + database}, "billing-job").ClientSecret
	token := p.Token("billing-job", secret)
	introspect50(t, p, "billing-job", secret, token)
	p.Post("/token", "billing-job", "wrong", tokenPlease)
	if got := p.Post("/revoke", "billing-job", secret, "token="+token); got.Status != http.StatusOK {
		t.Errorf("revocation: %d %s", got.Status, got.Body)
	}
	privileges{redis: node}.refusedNothing(t)
}

// Waiting for replicas needs one more command and one more key.
func TestRoleThatWaitsForReplicas(t *testing.T) {
	t.Parallel()
	g := granted(t)
	host, port, _ := strings.Cut(g.redis.Addr, ":")
	replica := apptest.StartRedis(t, "--replicaof", host, port)
	apptest.Eventually(t, 30*time.Second, "the replica is in sync", func() bool { return strings.Contains(replica.CLI("INFO", "replication"), "master_link_status:up") })
	g.redis.CLI("ACL", "SETUSER", "chit-server", "+wait", "(~oauth:replicated +set)")
	p := apptest.StartChit(t, append(g.as(t, "server"), "CHIT_MIGRATE=off", "CHIT_REDIS_WAIT_REPLICAS=1"))
	secret := apptest.Create(t, g.as(t, "operator"), "billing-job").ClientSecret
	token := p.Token("billing-job", secret)
	if got := p.Post("/revoke", "billing-job", secret, "token="+token); got.Status != http.StatusOK {
		t.Errorf("revocation: %d %s", got.Status, got.Body)
	}
	g.refusedNothing(t)
}

// A role that may not read federations, as after an upgrade without new privileges, only fails requests that need
// them.
func TestRoleWithoutFederations(t *testing.T) {
	t.Parallel()
	g := granted(t)
	apptest.Psql(t, g.database.URL, "REVOKE SELECT ON oauth_client_federation FROM chit_server")
	p := apptest.StartChit(t, append(g.as(t, "server"), "CHIT_MIGRATE=off"))
	secret := apptest.Create(t, g.as(t, "operator"), "job").ClientSecret
	if p.Token("job", secret) == "" {
		t.Error("no token by a secret")
	}
	form := "grant_type=client_credentials&client_id=job&" + apptest.AssertionForm(apptest.NewSigner(t, "ES256", "").Sign(apptest.Claims{"iss": "https://platform.example", "sub": "x"}))
	if got := p.Post("/token", "", "", form); got.Status != http.StatusServiceUnavailable {
		t.Errorf("by a token of a platform: %d %s", got.Status, got.Body)
	}
}
