package app_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
)

// password is in every URL of this test, and must not be in any message.
const password = "s3kret"

// nobody is an address on which nothing listens.
const nobody = "127.0.0.1:1"

// A server that cannot start prints one line that tells the operator what to do.
func TestStartIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	good := migrated(t)
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
		{"database out of reach", at("postgres://chit:"+password+"@"+nobody+"/chit?sslmode=disable", open.URL), "cannot reach the database: "},
		{"database out of reach, TLS or not", at("postgres://chit:"+password+"@"+nobody+","+nobody+"/chit", open.URL), "cannot reach the database: "},
		{"wrong database password", at(withPassword(t, good), open.URL), "password authentication failed"},
		{"no such database", at(strings.Replace(good, "/test_", "/no_", 1), open.URL), "does not exist"},
		{"Redis out of reach", at(good, "redis://:"+password+"@"+nobody), nobody},
		{"wrong Redis password", at(good, withPassword(t, locked.URL)), "the server at " + locked.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: ping: storage is unavailable: WRONGPASS"},
		{"no Redis password", at(good, "redis://"+locked.Addr), "the server at " + locked.Addr + " refuses the user or password (CHIT_REDIS_URL): redis: ping: storage is unavailable: NOAUTH"},
		{"TLS to a Redis without", at(good, "rediss://"+open.Addr), "the server at " + open.Addr + " speaks without TLS: write redis://, or its port for TLS (CHIT_REDIS_URL): "},
		{"Redis that does not answer", at(good, hung.URL+"?read_timeout=100ms"), "timeout"},
		{"empty database, migrations off", append(at(apptest.Database(t), open.URL), "CHIT_MIGRATE=off"), "run `chit migrate up`, or set CHIT_MIGRATE=on"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := chit(t, append([]string{"CHIT_LOG_LEVEL=error", anyPort[0], anyPort[1]}, row.env...))
			if got.status != 1 || got.stdout != "" {
				t.Errorf("status %d, standard output %q", got.status, got.stdout)
			}
			if !isOneLine(got.stderr) || !strings.Contains(got.stderr, row.want) {
				t.Errorf("not one line with %q:\n%s", row.want, got.stderr)
			}
			if strings.Contains(got.stderr, password) || strings.Contains(got.stderr, ".go:") || strings.Contains(got.stderr, "memory") {
				t.Errorf("a password or a stack trace: %s", got.stderr)
			}
		})
	}
}

// isOneLine reports whether text is a single line from chit, without a log.
func isOneLine(text string) bool {
	return strings.HasPrefix(text, "chit: ") && strings.Count(text, "\n") == 1 && strings.HasSuffix(text, "\n")
}

// All nodes of a new deployment start at the same time on one empty database.
func TestServersThatStartTogetherAllComeUp(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Database(t), apptest.StartRedis(t)
	var nodes [4]*program
	for i := range nodes {
		nodes[i] = launch(t, []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL})
	}
	migrations := 0
	for _, node := range nodes {
		node.listening()
		if got := get(t, node.URL+"/readyz"); got.Status != http.StatusOK {
			t.Errorf("not ready: %s", got.Body)
		}
		migrations += strings.Count(node.stderr.String(), "migration applied")
	}
	if files := applied(t, database); migrations != files {
		t.Errorf("%d migrations applied by all nodes together, of %d", migrations, files)
	}
}

// applied returns how many steps the database has.
func applied(t *testing.T, database string) int {
	t.Helper()
	status := chit(t, []string{"CHIT_DATABASE_URL=" + database}, "migrate", "status", "--output=json")
	if status.status != 0 || strings.Contains(status.stdout, "null") {
		t.Fatalf("migrate status: %d %s%s", status.status, status.stdout, status.stderr)
	}
	return strings.Count(status.stdout, `"applied_at"`)
}

// migrated returns the URL of a database with all steps applied and no client.
func migrated(t *testing.T) string {
	t.Helper()
	database := apptest.Database(t)
	if up := chit(t, []string{"CHIT_DATABASE_URL=" + database}, "migrate", "up"); up.status != 0 {
		t.Fatalf("migrate up: %s", up.stderr)
	}
	return database
}

// withPassword returns rawURL with the password that must be in no message.
func withPassword(t *testing.T, rawURL string) string {
	t.Helper()
	parsed, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword(parsed.User.Username(), password)
	return parsed.String()
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
