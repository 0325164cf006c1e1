package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// password is the password of the servers that the tests start.
const password = "6d1f0a0cf6"

// redis is the service redis without its container.
type redis struct {
	t     *testing.T
	dir   string // contains secrets, data and bin
	port  string
	paths *strings.Replacer
}

// newRedis prepares a directory with the secret, an empty volume and a port. The service uses the default
// port, so the directory has scripts named redis-server and redis-cli that set another one.
func newRedis(t *testing.T, password string) *redis {
	t.Helper()
	server, client := tool(t, "redis-server"), tool(t, "redis-cli")
	r := &redis{t: t, dir: t.TempDir(), port: freePort(t)}
	for _, name := range []string{"secrets", "data", "bin"} {
		if err := os.Mkdir(filepath.Join(r.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(r.dir, "secrets/redis_password"), password+"\n", 0o444)
	write(t, filepath.Join(r.dir, "bin/redis-server"), fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --bind 127.0.0.1 --port %s\n", server, r.port), 0o755)
	write(t, filepath.Join(r.dir, "bin/redis-cli"), fmt.Sprintf("#!/bin/sh\nexec %s -p %s \"$@\"\n", client, r.port), 0o755)
	r.paths = strings.NewReplacer("/run/secrets/", r.dir+"/secrets/", "/data", r.dir+"/data")
	return r
}

// in makes a command run in that directory.
func (r *redis) in(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = filepath.Join(r.dir, "data")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
	return cmd
}

// start runs the command of docker-compose.yml.
func (r *redis) start() *process {
	r.t.Helper()
	command := service(r.t, "redis").Command
	args := make([]string, len(command))
	for i, arg := range command {
		args[i] = r.paths.Replace(arg)
	}
	return start(r.t, r.in(exec.Command(args[0], args[1:]...)))
}

// health runs the health check of docker-compose.yml.
func (r *redis) health() error {
	check, err := healthCheck(service(r.t, "redis"), r.paths)
	if err != nil {
		return err
	}
	return run(r.in(check))
}

func (r *redis) healthy() {
	r.t.Helper()
	eventually(r.t, 10*time.Second, "Redis is healthy", r.health)
}

// cli runs redis-cli and returns the output. Without a password it does not authenticate.
func (r *redis) cli(password string, args ...string) string {
	r.t.Helper()
	cmd := r.in(exec.Command(filepath.Join(r.dir, "bin/redis-cli"), args...))
	if password != "" {
		cmd.Env = append(cmd.Env, "REDISCLI_AUTH="+password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("redis-cli %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRedisAsksForThePassword(t *testing.T) {
	t.Parallel()
	r := newRedis(t, password)
	if r.health() == nil {
		t.Error("healthy before the start")
	}
	server := r.start()
	r.healthy()
	if got := r.cli("", "PING"); !strings.HasPrefix(got, "NOAUTH") {
		t.Errorf("without a password: %s", got)
	}
	if got := r.cli("wrong", "PING"); !strings.Contains(got, "NOAUTH") {
		t.Errorf("with a wrong one: %s", got)
	}
	if got := r.cli(password, "PING"); got != "PONG" {
		t.Errorf("with the right one: %s", got)
	}
	for _, of := range []string{"cmdline", "environ"} {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", server.cmd.Process.Pid, of)); err == nil && strings.Contains(string(text), password) {
			t.Errorf("the password is in the process's %s", of)
		}
	}
	if err := os.Remove(filepath.Join(r.dir, "secrets/redis_password")); err != nil {
		t.Fatal(err)
	}
	if r.health() == nil {
		t.Error("healthy without the password")
	}
}

func TestRedisSettings(t *testing.T) {
	t.Parallel()
	r := newRedis(t, password)
	r.start()
	r.healthy()
	for setting, want := range map[string]string{
		"appendonly":       "yes",
		"save":             "",
		"maxmemory":        "536870912",
		"maxmemory-policy": "noeviction",
		"dir":              filepath.Join(r.dir, "data"),
	} {
		if got := r.cli(password, "CONFIG", "GET", setting); strings.TrimSpace(got) != strings.TrimSpace(setting+"\n"+want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// If the shell were still running, it would not pass on the signal.
func TestRedisGetsTheSignalAndKeepsItsData(t *testing.T) {
	t.Parallel()
	r := newRedis(t, password)
	for _, kill := range []bool{false, true} {
		server := r.start()
		r.healthy()
		if got, want := r.cli(password, "INFO", "server"), fmt.Sprintf("process_id:%d\r\n", server.cmd.Process.Pid); !strings.Contains(got, want) {
			t.Fatalf("the process is not Redis: no %q in %s", want, got)
		}
		if got := r.cli(password, "INCR", "starts"); kill != (got == "2") {
			t.Errorf("starts: %s", got)
		}
		if kill {
			_ = server.cmd.Process.Kill() // ends checks it
			server.ends(time.Second)
		} else {
			server.terminate(5 * time.Second)
		}
	}
	r.start()
	r.healthy()
	if got := r.cli(password, "GET", "starts"); got != "2" {
		t.Errorf("after a kill: %q", got)
	}
}

// Without a password Redis would let everyone in.
func TestRedisDoesNotStartWithoutAPassword(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string) error{
		"empty file": func(path string) error { return os.Truncate(path, 0) },
		"no file":    os.Remove,
		"two words":  func(path string) error { return os.WriteFile(path, []byte("a b\n"), 0o444) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRedis(t, "")
			path := filepath.Join(r.dir, "secrets/redis_password")
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			if state := r.start().ends(5 * time.Second); state.Success() {
				t.Error("it started")
			}
		})
	}
}
