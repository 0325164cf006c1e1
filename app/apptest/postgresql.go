package apptest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgreSQL is a server for one test, which may break it. Its methods are not safe for concurrent use.
type PostgreSQL struct {
	URL  string // postgres://user:password@127.0.0.1:port/postgres?sslmode=disable, of a superuser
	Port int

	t        testing.TB
	password string
	process  process
}

// StartPostgreSQL returns a running server. Settings have the form name=value of postgresql.conf and
// replace the defaults. After Kill every commit is still there. fsync is off, so the data may not survive a
// crash of the machine.
func StartPostgreSQL(t testing.TB, settings ...string) *PostgreSQL {
	t.Helper()
	p, err := newPostgreSQL(settings)
	must(t, err)
	p.t = t
	t.Cleanup(p.discard)
	return p
}

// Stop stops the server in fast mode: it rolls back transactions and closes connections.
func (p *PostgreSQL) Stop() {
	p.process.end(syscall.SIGINT)
}

// Kill ends the server and every backend, like a crash.
func (p *PostgreSQL) Kill() {
	if p.process.cmd == nil {
		return
	}
	backends := children(p.process.cmd.Process.Pid)
	p.process.end(syscall.SIGKILL)
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL) // most end by themselves after their parent
	}
}

// Start starts a stopped or killed server again, with the same port and data.
func (p *PostgreSQL) Start() {
	p.t.Helper()
	must(p.t, p.process.run(func() error { return nil }, p.ping))
}

func newPostgreSQL(settings []string) (*PostgreSQL, error) {
	bin, err := postgresqlDir()
	if err != nil {
		return nil, err
	}
	user, err := postgresqlUser()
	if err != nil {
		return nil, err
	}
	// Not in the directory of the test, because the server may run as another user.
	dir, err := os.MkdirTemp("", "chit-postgresql-")
	if err != nil {
		return nil, err
	}
	p := &PostgreSQL{password: rand.Text()}
	p.process = process{
		path: filepath.Join(bin, "postgres"), dir: dir, env: withoutPG(os.Environ()), user: user,
		will: syscall.SIGQUIT, // immediate shutdown, because SIGKILL would leave shared memory behind
	}
	if err := p.initdb(filepath.Join(bin, "initdb")); err != nil {
		p.discard()
		return nil, err
	}
	if err := p.process.run(func() error { return p.choosePort(settings) }, p.ping); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

func (p *PostgreSQL) initdb(path string) error {
	dir, password := p.process.dir, filepath.Join(p.process.dir, "password")
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(password, []byte(p.password), 0o600); err != nil {
		return err
	}
	if user := p.process.user; user != nil {
		if err := errors.Join(chown(dir, user), chown(password, user)); err != nil {
			return err
		}
	}
	cmd := exec.Command(path, "--pgdata="+p.data(), "--username=chit", "--pwfile="+password, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir, cmd.Env = dir, p.process.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.process.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (p *PostgreSQL) choosePort(settings []string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p.Port = port
	p.URL = p.database("postgres")
	p.process.args = []string{"-D", p.data()}
	defaults := []string{
		"listen_addresses=127.0.0.1", fmt.Sprintf("port=%d", port), "unix_socket_directories=", "max_connections=300",
		// The data need not survive a power failure. They survive the death of the server.
		"fsync=off", "full_page_writes=off",
	}
	for _, setting := range append(defaults, settings...) {
		p.process.args = append(p.process.args, "-c", setting)
	}
	return nil
}

// ping checks that this server answers, and not another one on the same port: only this one knows the
// password.
func (p *PostgreSQL) ping(ctx context.Context) error {
	return p.exec(ctx, "SELECT 1")
}

func (p *PostgreSQL) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func (p *PostgreSQL) database(name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("chit", p.password), Host: loopback(p.Port), Path: "/" + name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (p *PostgreSQL) data() string {
	return filepath.Join(p.process.dir, "data")
}

// discard ends the server and deletes its data.
func (p *PostgreSQL) discard() {
	p.process.end(syscall.SIGQUIT)
	// Backends may write for a moment after their server was killed.
	for range 20 {
		if os.RemoveAll(p.process.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// withoutPG removes the variables that libpq and the server read, and sets the language to English.
func withoutPG(env []string) []string {
	var kept []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, "PG") {
			kept = append(kept, entry)
		}
	}
	return append(kept, "LC_ALL=C")
}
