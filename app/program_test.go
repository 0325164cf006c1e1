package app_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// The demo client of the embedded mode, and its resource server.
const (
	demo, demoSecret     = "my-machine-client", "my-secret"
	server, serverSecret = "my-resource-server", "my-resource-secret"
)

// tokenPlease is the body of the simplest token request.
const tokenPlease = "grant_type=client_credentials"

// result is the result of a command.
type result struct {
	stdout, stderr string
	status         int
}

// chit runs a command to its end. env has all CHIT_ variables of its environment.
func chit(t testing.TB, env []string, args ...string) result {
	t.Helper()
	return chitWith(t, "", env, args...)
}

// chitWith is chit with text on standard input.
func chitWith(t testing.TB, stdin string, env []string, args ...string) result {
	t.Helper()
	cmd := command(t, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	end, err := leashEnd()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chit", args...)
	cmd.Dir = t.TempDir()
	cmd.ExtraFiles = []*os.File{end}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "CHIT_") && !strings.HasPrefix(entry, "PG") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(append(cmd.Env, leash+"=3"), env...)
	return cmd
}

// keepLeash is the end of the leash that closes when this process ends.
var keepLeash *os.File

var leashEnd = sync.OnceValues(func() (end *os.File, err error) {
	end, keepLeash, err = os.Pipe()
	return end, err
})

// program is a chit that runs as a separate process.
type program struct {
	URL, OpsURL string

	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr output
	exited         chan struct{}
}

// anyPort lets the server choose its ports. It logs them.
var anyPort = []string{"CHIT_LISTEN=127.0.0.1:0", "CHIT_OPS_LISTEN=127.0.0.1:0"}

var (
	loggedURL    = regexp.MustCompile(`\burl"?[=:]"?(https?://[^" ]+)`)
	loggedOpsURL = regexp.MustCompile(`\bops_url"?[=:]"?(https?://[^" ]+)`)
)

// start starts a server on free ports and returns when it listens.
func start(t testing.TB, env []string, args ...string) *program {
	t.Helper()
	p := launch(t, env, args...)
	p.listening()
	return p
}

// launch starts a server and does not wait for it.
func launch(t testing.TB, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: command(t, append(anyPort[:2:2], env...), args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.run()
	return p
}

// run starts the process, which is killed when the test ends.
func (p *program) run() {
	p.t.Helper()
	p.exited = make(chan struct{})
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the tests look at its state
		close(p.exited)
	}()
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exited
	})
}

// listening waits until the server has logged its addresses, which it does last.
func (p *program) listening() {
	p.t.Helper()
	eventually(p.t, 15*time.Second, "the server listens", func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("it ended: %s", p.stderr.String())
		default:
		}
		log := p.stderr.String()
		public, ops := loggedURL.FindStringSubmatch(log), loggedOpsURL.FindStringSubmatch(log)
		if public == nil || ops == nil {
			return false
		}
		p.URL, p.OpsURL = public[1], ops[1]
		return true
	})
}

func (p *program) signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for the end of the process and returns its state. It fails the test after the limit.
func (p *program) ended(limit time.Duration) *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.t.Fatalf("it runs on after %v: %s", limit, p.stderr.String())
	}
	return p.cmd.ProcessState
}

// oneShot is a client that keeps no connection open.
var oneShot = &http.Transport{DisableKeepAlives: true}

func (p *program) post(path, user, secret, form string) apptest.Answer {
	p.t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.URL+path, strings.NewReader(form))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(user, secret)
	return send(p.t, request)
}

func (p *program) token(user, secret string) string {
	p.t.Helper()
	answer := p.post("/token", user, secret, tokenPlease)
	if answer.Status != http.StatusOK || answer.Text("access_token") == "" {
		p.t.Fatalf("no token: %d %s", answer.Status, answer.Body)
	}
	return answer.Text("access_token")
}

func get(t testing.TB, url string) apptest.Answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, request)
}

func send(t testing.TB, request *http.Request) apptest.Answer {
	t.Helper()
	response, err := oneShot.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// eventually fails the test unless check returns true within the limit.
func eventually(t testing.TB, limit time.Duration, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// tool returns the path of another program that a test needs.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("%s is not installed: skipped", name)
	}
	return path
}

// output is what a running program has written so far.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}
