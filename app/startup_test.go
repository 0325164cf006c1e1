package app_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"chit/app/apptest"
)

// A server that cannot start prints one line that tells the operator what to do.
func TestStartIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	good := apptest.Migrated(t)
	locked := apptest.StartRedis(t, "--requirepass", "another")
	open := apptest.StartRedis(t)
	hung := apptest.StartRedis(t)
	hung.Pause()
	at := func(database, redis string) []string {
		return []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis}
	}
	for _, row := range []struct {
		name string
		env  []string
		want string
	}{
		{"public port in use", []string{"CHIT_LISTEN=" + taken}, taken + " is in use by another program: stop it, or set CHIT_LISTEN to another address"},
		{"ops port in use", []string{"CHIT_OPS_LISTEN=" + taken}, taken + " is in use by another program: stop it, or set CHIT_OPS_LISTEN to another address"},
		{"no such port", []string{"CHIT_LISTEN=127.0.0.1:99999"}, "CHIT_LISTEN: "},
		{"no folder for the file", []string{"CHIT_EMBEDDED_DATABASE=nowhere/chit.db"}, "the SQLite file nowhere/chit.db cannot be used: open nowhere/chit.db: no such file or directory"},
		{"a folder where nobody may write", []string{"CHIT_EMBEDDED_DATABASE=/proc/chit.db"}, "the SQLite file /proc/chit.db cannot be used: open /proc/chit.db: "},
		{"a folder in its place", []string{"CHIT_EMBEDDED_DATABASE=/"}, "the SQLite file / cannot be used: open /: is a directory"},
		{"database out of reach", at("postgres://chit:"+apptest.Password+"@"+apptest.Nobody+"/chit?sslmode=disable", open.URL), "cannot reach the database: "},
		{"database out of reach, TLS or not", at("postgres://chit:"+apptest.Password+"@"+apptest.Nobody+","+apptest.Nobody+"/chit", open.URL), "cannot reach the database: "},
		{"wrong database password", at(apptest.WithPassword(t, good), open.URL), "password authentication failed"},
		{"no such database", at(strings.Replace(good, "/test_", "/no_", 1), open.URL), "does not exist"},
		{"Redis out of reach", at(good, "redis://:"+apptest.Password+"@"+apptest.Nobody), apptest.Nobody},
		{"wrong Redis password", at(good, apptest.WithPassword(t, locked.URL)), "the server at " + locked.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: ping: storage is unavailable: WRONGPASS"},
		{"no Redis password", at(good, "redis://"+locked.Addr), "the server at " + locked.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: ping: storage is unavailable: NOAUTH"},
		{"TLS to a Redis without", at(good, "rediss://"+open.Addr), "the server at " + open.Addr + " speaks without TLS: write redis://, or its port for TLS (CHIT_REDIS_URL): "},
		{"Redis that does not answer", at(good, hung.URL+"?read_timeout=100ms"), "timeout"},
		{"empty database, migrations off", append(at(apptest.Database(t), open.URL), "CHIT_MIGRATE=off"), "run `chit migrate up`, or set CHIT_MIGRATE=on"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := apptest.Chit(t, append([]string{"CHIT_LOG_LEVEL=error", apptest.AnyPort[0], apptest.AnyPort[1]}, row.env...))
			if got.Status != 1 || got.Stdout != "" {
				t.Errorf("status %d, standard output %q", got.Status, got.Stdout)
			}
			if !apptest.IsOneLine(got.Stderr) || !strings.Contains(got.Stderr, row.want) {
				t.Errorf("not one line with %q:\n%s", row.want, got.Stderr)
			}
			if strings.Contains(got.Stderr, apptest.Password) || strings.Contains(got.Stderr, ".go:") || strings.Contains(got.Stderr, "memory") {
				t.Errorf("a password or a stack trace: %s", got.Stderr)
			}
		})
	}
}

// All nodes of a new deployment start at the same time on one empty database.
func TestServersThatStartTogetherAllComeUp(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Database(t), apptest.StartRedis(t)
	var nodes [4]*apptest.Process
	for i := range nodes {
		nodes[i] = apptest.LaunchChit(t, []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL})
	}
	migrations := 0
	for _, node := range nodes {
		node.Listening()
		if got := apptest.Get(t, node.URL+"/readyz"); got.Status != http.StatusOK {
			t.Errorf("not ready: %s", got.Body)
		}
		migrations += strings.Count(node.Stderr.String(), "migration applied")
	}
	if files := applied(t, database); migrations != files {
		t.Errorf("%d migrations applied by all nodes together, of %d", migrations, files)
	}
}

// applied returns how many steps the database has.
func applied(t *testing.T, database string) int {
	t.Helper()
	status := apptest.Chit(t, []string{"CHIT_DATABASE_URL=" + database}, "migrate", "status", "--output=json")
	if status.Status != 0 || strings.Contains(status.Stdout, "null") {
		t.Fatalf("migrate status: %d %s%s", status.Status, status.Stdout, status.Stderr)
	}
	return strings.Count(status.Stdout, `"applied_at"`)
}

// listen takes a port for the time of the test.
func listen(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}
