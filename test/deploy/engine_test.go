package deploy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// engine is a container engine and the stack of docker-compose.yml on it.
type engine struct {
	t    *testing.T
	env  []string
	base []string // of commands of Compose
	dir  string   // of docker-compose.yml
	port string   // of HAProxy
	http *http.Client
}

// newEngine finds an engine or starts one of its own. It skips the test if that is not possible.
func newEngine(t *testing.T) *engine {
	t.Helper()
	for _, program := range []string{"docker", "docker-compose"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no container engine: %s is not installed: skipped", program)
		}
	}
	e := &engine{t: t, env: os.Environ(), port: freePort(t)}
	if e.docker("info") != nil {
		e.startEngine()
	}
	e.http = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}, // the certificate for a first try
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+e.port)
		},
		MaxIdleConnsPerHost: 16,
	}}
	return e
}

// startEngine starts an engine for this test. That needs root.
func (e *engine) startEngine() {
	e.t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil || os.Getuid() != 0 {
		e.t.Skip("there is no container engine that answers: skipped")
	}
	directory, err := os.MkdirTemp("", "chit-engine-")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { os.RemoveAll(directory) })
	socket := "unix://" + directory + "/socket"
	start(e.t, exec.Command("dockerd", "--data-root", directory+"/data", "--exec-root", directory+"/exec", "--pidfile", directory+"/pid", "-H", socket))
	e.env = append(e.env, "DOCKER_HOST="+socket)
	for deadline := time.Now().Add(30 * time.Second); e.docker("info") != nil; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Skip("there is no container engine: dockerd does not start here: skipped")
		}
	}
}

func (e *engine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = e.env, e.dir
	return cmd
}

func (e *engine) docker(args ...string) error { return run(e.command("docker", args...)) }

// compose runs a command of Compose, which must succeed.
func (e *engine) compose(args ...string) string {
	e.t.Helper()
	cmd := e.command("docker-compose", append(e.base, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("docker-compose %s: %v: %s%s", args, err, complaints.String(), out.String())
	}
	return strings.TrimSpace(out.String())
}

// provide makes the images that cannot be pulled.
func (e *engine) provide() {
	e.t.Helper()
	for _, image := range standIns(e.t) {
		if e.docker("image", "inspect", image.image) == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
		pull := exec.CommandContext(ctx, "docker", "pull", "-q", image.image)
		pull.Env = e.env
		err := pull.Run()
		cancel()
		if err == nil {
			continue
		}
		args := []string{"import"}
		for _, change := range image.changes {
			args = append(args, "--change", change)
		}
		cmd := e.command("docker", append(args, "-", image.image)...)
		cmd.Stdin = image.archive(e.t)
		if err := run(cmd); err != nil {
			e.t.Fatalf("%s: %v", image.image, err)
		}
	}
}

// prepare copies the sources as the build of an image sees them, with the secrets.
func (e *engine) prepare() {
	e.t.Helper()
	directory, err := os.MkdirTemp("", "chit-stack-") // not in the directory of the test, which other users may not enter
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { os.RemoveAll(directory) })
	clone := exec.Command("git", "clone", "-q", root, directory)
	if err := run(clone); err != nil {
		e.t.Fatal(err)
	}
	// The files of the work tree, which may be changed.
	for _, name := range []string{"docker-compose.yml", "Dockerfile", ".dockerignore", "deploy"} {
		if err := run(exec.Command("cp", "-r", filepath.Join(root, name), directory)); err != nil {
			e.t.Fatal(err)
		}
	}
	if err := run(exec.Command("mv", createSecrets(e.t), directory)); err != nil {
		e.t.Fatal(err)
	}
	// Compose 1 does not know the name at the top level.
	file := read(e.t, filepath.Join(directory, "docker-compose.yml"))
	write(e.t, filepath.Join(directory, "docker-compose.yml"), strings.Replace(file, "\nname: chit\n", "\n", 1), 0o644)
	e.dir = directory
	e.base = []string{"-p", "chit-test", "--profile", "tls"}
	e.env = append(e.env, "CHIT_PORT=8080-8089", "CHIT_TLS_ADDRESS=127.0.0.1", "CHIT_TLS_PORT="+e.port, "DOCKER_BUILDKIT=0", "COMPOSE_DOCKER_CLI_BUILD=1")
	for low := 20000; ; low += 20 { // ports for the containers of chit, which are not used
		if low > 60000 {
			e.t.Fatal("no free ports")
		}
		if listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", low)); err == nil {
			listener.Close()
			e.env = append(e.env, fmt.Sprintf("CHIT_PORT=%d-%d", low, low+19))
			break
		}
	}
}

// containers returns the ids of the containers of a service.
func (e *engine) containers(service string) []string {
	e.t.Helper()
	return strings.Fields(e.compose("ps", "-q", service))
}

// healthy waits until all containers of a service are healthy.
func (e *engine) healthy(service string, count int) {
	e.t.Helper()
	eventually(e.t, 2*time.Minute, service+" is healthy", func() error {
		found := e.containers(service)
		out, err := e.command("docker", append([]string{"inspect", "-f", "{{.State.Health.Status}}"}, found...)...).Output()
		if states := strings.Fields(string(out)); err != nil || len(states) != count || strings.Count(string(out), "healthy\n") != count || strings.Contains(string(out), "unhealthy") {
			return fmt.Errorf("%v, %w", states, err)
		}
		return nil
	})
}

var printedSecret = regexp.MustCompile(`chits_[A-Z2-7]{59}`)

// The stack is built, comes up in order, issues and introspects through the proxy, outlives a restart of each
// service, is scaled to three and upgraded under load without a lost request, and goes down.
func TestTheStackRuns(t *testing.T) {
	e := newEngine(t)
	e.provide()
	e.prepare()
	t.Cleanup(func() { _ = run(e.command("docker-compose", append(e.base, "down", "-v", "-t", "1")...)) })
	e.compose("build", "-q", "chit")
	e.compose("up", "-d")
	for _, service := range []string{"postgres", "redis", "chit", "haproxy"} {
		e.healthy(service, 1)
	}
	chit := e.containers("chit")[0]
	out, err := e.command("docker", "exec", chit, "/chit", "client", "create", "job").CombinedOutput()
	secret := printedSecret.FindString(string(out))
	if err != nil || secret == "" {
		t.Fatalf("%v: %s", err, out)
	}
	var token string
	eventually(t, 30*time.Second, "HAProxy passes requests on", func() (err error) {
		token, err = e.token("job", secret)
		return err
	})
	if err := e.active("job", secret, token); err != nil {
		t.Fatal(err)
	}
	e.addressOfClient(secret)
	for _, service := range []string{"redis", "postgres", "chit", "haproxy"} {
		e.compose("restart", "-t", "20", service)
		e.healthy(service, 1)
		eventually(t, time.Minute, "the token is active after a restart of "+service, func() error { return e.active("job", secret, token) })
	}
	e.scaleAndUpgrade(secret)
	if err := e.active("job", secret, token); err != nil {
		t.Errorf("in the end: %v", err)
	}
	e.compose("down", "-t", "20")
	if left, _ := e.command("docker", "ps", "-q").Output(); len(left) > 0 {
		t.Errorf("containers are left: %s", left)
	}
}

// addressOfClient expects that the log has the address of the client, and not that of HAProxy.
func (e *engine) addressOfClient(secret string) {
	e.t.Helper()
	log, err := e.command("docker", "logs", e.containers("chit")[0]).CombinedOutput()
	if err != nil || !bytes.Contains(log, []byte(`"event":"token_issued"`)) || bytes.Contains(log, []byte(`"remote":"10.245.173.10"`)) {
		e.t.Errorf("%v: %s", err, log)
	}
	if bytes.Contains(log, []byte(secret)) {
		e.t.Error("the secret is in the log")
	}
}
