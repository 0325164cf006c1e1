package deploy_test

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// createSecrets runs the commands at the head of docker-compose.yml and returns the directory that they
// create.
func createSecrets(t *testing.T) string {
	t.Helper()
	tool(t, "openssl")
	var script strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^#   (.+)$`).FindAllStringSubmatch(read(t, filepath.Join(root, "docker-compose.yml")), -1) {
		script.WriteString(line[1] + "\n")
	}
	cmd := exec.Command("sh", "-eu", "-c", script.String())
	cmd.Dir = t.TempDir()
	if err := run(cmd); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cmd.Dir, "secrets")
}

// The users in the containers can read the files. Other users of the host cannot enter the directory.
func TestSecretsArePermittedAsTheyShouldBe(t *testing.T) {
	secrets := createSecrets(t)
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	for name := range compose(t).Secrets {
		info, err := os.Stat(filepath.Join(secrets, name))
		if err != nil || info.Mode().Perm() != 0o444 || info.Size() < 33 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// The binary is built as the Dockerfile says, from the files that .dockerignore leaves. It runs with
// nothing but itself and its secrets, writes no file, and reports its health.
func TestTheImageRuns(t *testing.T) {
	secrets := createSecrets(t)
	box := newContainer(t)
	box.build(t)

	password := strings.TrimSpace(read(t, filepath.Join(secrets, "redis_password")))
	r := newRedis(t, password)
	r.start()
	postgresPort := startPostgreSQL(t, filepath.Join(secrets, "postgres_password"))
	hosts := strings.NewReplacer("@postgres:5432/", "@127.0.0.1:"+postgresPort+"/", "@redis:6379/", "@127.0.0.1:"+r.port+"/")
	for _, secret := range service(t, "chit").Secrets {
		text := read(t, filepath.Join(secrets, secret.Source))
		if hosts.Replace(text) == text {
			t.Fatalf("%s does not lead to the service", secret.Source)
		}
		write(t, filepath.Join(box.root, "run/secrets", secret.Source), hosts.Replace(text), 0o444)
	}
	r.healthy()

	if box.health(t) == nil {
		t.Error("healthy before the start")
	}
	box.tellsItsVersion(t)
	chit := start(t, box.command(t, "/chit"))
	eventually(t, 15*time.Second, "chit is healthy", func() error { return box.health(t) })
	// The URL in the secret works in the recipes for operators.
	url := strings.TrimSpace(read(t, filepath.Join(box.root, "run/secrets/redis_url")))
	if err := run(exec.Command(tool(t, "redis-cli"), "-e", "-u", url, "DBSIZE")); err != nil {
		t.Error(err)
	}
	if err := run(box.command(t, "/chit", "client", "create", "job")); err != nil {
		t.Error(err)
	}
	chit.terminate(time.Duration(*service(t, "chit").StopGracePeriod))
	if box.health(t) == nil {
		t.Error("healthy after the end")
	}
}

// container replaces the container of the service chit. If the tests run as root, its root directory has
// only the files of the image, and it runs as the user of the image.
type container struct {
	root   string
	listen []string
	jailed bool
}

func newContainer(t *testing.T) *container {
	t.Helper()
	// Not in the directory of the test, which other users may not enter.
	directory, err := os.MkdirTemp("", "chit-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.MkdirAll(filepath.Join(directory, "run/secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	return &container{
		root:   directory,
		listen: []string{"CHIT_LISTEN=:" + freePort(t), "CHIT_OPS_LISTEN=127.0.0.1:" + freePort(t)},
		jailed: os.Geteuid() == 0,
	}
}

// tellsItsVersion expects the commit that was built, if the sources are in a Git repository.
func (c *container) tellsItsVersion(t *testing.T) {
	t.Helper()
	commit, err := exec.Command("git", "-C", root, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Logf("no commit to compare with: %v", err)
		return
	}
	out, err := c.command(t, "/chit", "version").Output()
	if want := "chit " + strings.TrimSpace(string(commit)) + " "; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("version: %q, %v, want %q", out, err, want)
	}
}

func (c *container) build(t *testing.T) {
	t.Helper()
	binary := filepath.Join(c.root, "chit")
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(buildLine(t), "-o /chit ", "-o "+binary+" "))
	cmd.Dir = buildContext(t)
	if err := run(cmd); err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Skipf("the binary is none of Linux: skipped: %v", err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the binary is linked dynamically, which scratch has no libraries for")
		}
	}
}

// command returns a command in the image with the environment of the service.
func (c *container) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	paths := strings.NewReplacer()
	if !c.jailed {
		paths = strings.NewReplacer("/run/secrets/", c.root+"/run/secrets/")
		name = filepath.Join(c.root, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = []string{}
	for variable, value := range service(t, "chit").Environment {
		if value != nil {
			cmd.Env = append(cmd.Env, variable+"="+paths.Replace(*value))
		}
	}
	cmd.Env = append(cmd.Env, c.listen...) // the last value of a variable counts
	cmd.Dir = c.root
	if c.jailed {
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	return cmd
}

func (c *container) health(t *testing.T) error {
	t.Helper()
	check := service(t, "chit").HealthCheck.Test
	return run(c.command(t, check[1], check[2:]...))
}

// startPostgreSQL starts a server with the user and the database of docker-compose.yml. It checks that the
// health check works, and returns the port.
func startPostgreSQL(t *testing.T, passwordFile string) string {
	t.Helper()
	const versions = "/usr/lib/postgresql/*/bin"
	initdb, createdb, ready := tool(t, "initdb", versions), tool(t, "createdb", versions), tool(t, "pg_isready", versions)
	postgres := service(t, "postgres")
	name, port := variable(postgres, "POSTGRES_USER"), freePort(t)
	check, err := healthCheck(postgres, strings.NewReplacer("pg_isready", ready))
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "LC_ALL=C", "PGPORT="+port)
	health := func() error {
		cmd := exec.Command(check.Path, check.Args[1:]...)
		cmd.Env = env
		return run(cmd)
	}
	if health() == nil {
		t.Error("PostgreSQL is healthy before the start")
	}
	directory, as := postgresqlHome(t)
	password := read(t, passwordFile)
	write(t, filepath.Join(directory, "password"), password, 0o444)
	in := func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = directory, append(env, "PGPASSWORD="+strings.TrimSpace(password)), &syscall.SysProcAttr{Credential: as}
		return cmd
	}
	if err := run(in(initdb, "-D", "data", "--username="+name, "--pwfile=password", "--auth=scram-sha-256", "--no-sync")); err != nil {
		t.Fatal(err)
	}
	start(t, in(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", "data", "-c", "listen_addresses=127.0.0.1", "-c", "port="+port,
		"-c", "unix_socket_directories=", "-c", "fsync=off"))
	eventually(t, 15*time.Second, "PostgreSQL is healthy", health)
	if err := run(in(createdb, "-h", "127.0.0.1", "-U", name, variable(postgres, "POSTGRES_DB"))); err != nil {
		t.Fatal(err)
	}
	return port
}

// postgresqlHome returns a directory for a server and the user to run it as, because it refuses to run as
// root.
func postgresqlHome(t *testing.T) (string, *syscall.Credential) {
	t.Helper()
	directory, err := os.MkdirTemp("", "chit-postgresql-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if os.Geteuid() != 0 {
		return directory, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		found, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, errUID := strconv.Atoi(found.Uid)
	gid, errGID := strconv.Atoi(found.Gid)
	if err := errors.Join(errUID, errGID); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(directory, uid, gid); err != nil {
		t.Fatal(err)
	}
	return directory, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
