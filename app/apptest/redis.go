package apptest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Redis is a server for one test. Only Client may be used concurrently.
type Redis struct {
	URL  string // redis://127.0.0.1:port, with user and password if one is set
	Addr string

	t        testing.TB
	password string
	process  process
}

// StartRedis returns a running redis-server. args are arguments such as "--appendonly", "yes", and replace
// the defaults, which persist nothing.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return startRedis(t, passwordIn(args), func(port int) ([]string, error) {
		return redisArgs(port, args...), nil
	})
}

// Stop asks the server to shut down and waits until it has.
func (r *Redis) Stop() {
	r.process.end(syscall.SIGTERM)
}

// Kill ends the server as a crash would.
func (r *Redis) Kill() {
	r.process.end(syscall.SIGKILL)
}

// Start starts a stopped or killed server again, on the same port and with the data that it persisted.
func (r *Redis) Start() {
	r.t.Helper()
	must(r.t, r.process.run(func() error { return nil }, r.ping))
}

// Pause freezes the server. The kernel still accepts connections, but the server does not answer.
func (r *Redis) Pause() {
	r.t.Helper()
	must(r.t, r.process.signal(syscall.SIGSTOP))
}

// Resume ends Pause.
func (r *Redis) Resume() {
	r.t.Helper()
	must(r.t, r.process.signal(syscall.SIGCONT))
}

// Client returns a client for this server. It respects the deadlines of contexts, and is closed when the
// test ends.
func (r *Redis) Client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: r.Addr, Password: r.password, ContextTimeoutEnabled: true, DialerRetries: 1})
	r.t.Cleanup(func() { _ = client.Close() }) // the test may have closed it
	return client
}

// CLI runs redis-cli and returns its output. The test fails on an error reply.
func (r *Redis) CLI(args ...string) string {
	r.t.Helper()
	host, port, _ := strings.Cut(r.Addr, ":")
	cmd := exec.Command("redis-cli", append([]string{"-h", host, "-p", port, "-e"}, args...)...)
	if r.password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+r.password)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("redis-cli %s: %v: %s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// startRedis starts a server in its own directory. args returns the arguments for a port.
func startRedis(t testing.TB, password string, args func(port int) ([]string, error)) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		must(t, notInstalled{"Redis", "apt-get install redis-server"})
	}
	r := &Redis{t: t, password: password}
	// SIGKILL also ends a paused server, and there is nothing to clean up.
	r.process = process{path: path, dir: t.TempDir(), will: syscall.SIGKILL}
	t.Cleanup(r.Kill)
	must(t, r.process.run(func() error {
		port, err := freePort()
		if err != nil {
			return err
		}
		r.Addr = loopback(port)
		u := url.URL{Scheme: "redis", Host: r.Addr}
		if password != "" {
			u.User = url.UserPassword("default", password)
		}
		r.URL = u.String()
		r.process.args, err = args(port)
		return err
	}, r.ping))
	return r
}

// ping checks by the process id that this server answers, and not another one on the same port.
func (r *Redis) ping(ctx context.Context) error {
	// go-redis would log every refused connection to the output of the test.
	conn, err := net.Dial("tcp", r.Addr)
	if err != nil {
		return err
	}
	_ = conn.Close() // it has done its work
	client := redis.NewClient(&redis.Options{Addr: r.Addr, Password: r.password, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close() //nolint:errcheck // it has no unwritten data
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	if pid := strconv.Itoa(r.process.cmd.Process.Pid); !strings.Contains(info, "process_id:"+pid+"\r\n") {
		return fmt.Errorf("another server answers on %s", r.Addr)
	}
	return client.Ping(ctx).Err()
}

func redisArgs(port int, args ...string) []string {
	return append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no"}, args...)
}

func passwordIn(args []string) string {
	for i, arg := range args[:max(0, len(args)-1)] {
		if arg == "--requirepass" {
			return args[i+1]
		}
	}
	return ""
}
