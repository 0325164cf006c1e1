package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// startPostgreSQL starts a server. DatabaseURL is the URL of its superuser.
func (s *Stack) startPostgreSQL(ctx context.Context) error {
	bin, err := postgresqlDir()
	if err != nil {
		return err
	}
	owner, err := postgresqlUser()
	if err != nil {
		return err
	}
	dir := filepath.Join(s.Dir, "postgresql")
	password := rand.Text()
	if err := initdb(ctx, filepath.Join(bin, "initdb"), dir, password, owner); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	s.DatabaseURL = (&url.URL{
		Scheme: "postgres", User: url.UserPassword("chit", password), Host: address, Path: "/postgres", RawQuery: "sslmode=disable",
	}).String()
	return s.start(ctx, program{
		path: filepath.Join(bin, "postgres"), user: owner, stop: syscall.SIGQUIT, // at once, because the data are not needed
		args: []string{"-D", filepath.Join(dir, "data"), "-c", "listen_addresses=127.0.0.1", "-c", "port=" + port,
			"-c", "unix_socket_directories=", "-c", "max_connections=300", "-c", "fsync=off"},
	}, func(ctx context.Context) error { return s.SQL(ctx, "SELECT 1") })
}

// SQL runs statements without parameters as superuser.
func (s *Stack) SQL(ctx context.Context, statements string) error {
	conn, err := pgx.Connect(ctx, s.DatabaseURL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

func initdb(ctx context.Context, path, dir, password string, owner *syscall.Credential) error {
	file := filepath.Join(dir, "password")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte(password), 0o600)); err != nil {
		return err
	}
	if owner != nil {
		uid, gid := int(owner.Uid), int(owner.Gid)
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chown(file, uid, gid)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, path, "--pgdata="+filepath.Join(dir, "data"), "--username=chit", "--pwfile="+file,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir, cmd.Env = dir, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// postgresqlDir returns the directory of the server's programs. Debian and Red Hat do not have it in PATH.
func postgresqlDir() (string, error) {
	var found []string
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, matches...)
	}
	for _, path := range found {
		if path, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: apt-get install postgresql")
}

// postgresqlUser returns the user that runs the server; nil means the current user. PostgreSQL refuses to
// run as root, so root uses postgres.
func postgresqlUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// PostgreSQL returns the path of the server's program, or only its name if it is missing.
func PostgreSQL() string {
	dir, err := postgresqlDir()
	if err != nil {
		return "postgres"
	}
	return filepath.Join(dir, "postgres")
}
