package apptest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// shared is the PostgreSQL server of this process. Creating a database takes milliseconds, starting a
// server takes a second.
var shared struct {
	running   atomic.Bool // Run was called, so the server will be stopped
	once      sync.Once
	server    *PostgreSQL
	err       error
	databases atomic.Int64
}

// Run runs the tests of a package and exits. TestMain must call it if tests use Database or Real, because
// it stops the server that they share.
func Run(m *testing.M) {
	os.Exit(Tests{m}.Run())
}

// Tests are the tests of a package, for a TestMain that does more than Run.
type Tests struct{ M *testing.M }

// Run runs the tests and stops the server that they share.
func (t Tests) Run() int {
	shared.running.Store(true)
	if signal.Ignored(syscall.SIGHUP) { // as under nohup: each process that the tests start would ignore it, too
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	code := t.M.Run()
	if shared.server != nil {
		shared.server.discard()
	}
	return code
}

// Database returns the URL of a new, empty database. The user of the URL is a superuser. The database is
// dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	if !shared.running.Load() {
		t.Fatal("apptest.Database needs a TestMain that calls apptest.Run: it stops the server")
	}
	shared.once.Do(func() { shared.server, shared.err = newPostgreSQL(nil) })
	must(t, shared.err)
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	if err := sharedExec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := sharedExec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return shared.server.database(name)
}

func sharedExec(sql string) error {
	// The context of the test is over when its database is dropped.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return shared.server.exec(ctx, sql)
}

// Psql runs SQL statements in psql and returns the output: a line for each row, with | between columns. The
// test fails if a statement does.
func Psql(t testing.TB, url, sql string) string {
	t.Helper()
	dir, err := postgresqlDir()
	must(t, err)
	path := filepath.Join(dir, "psql")
	if !executable(path) {
		path = "psql"
	}
	cmd := exec.Command(path, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url)
	cmd.Env = withoutPG(os.Environ())
	cmd.Stdin = strings.NewReader(sql)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("psql: %v: %s\n%s", err, &stderr, sql)
	}
	return strings.TrimSpace(string(out))
}
