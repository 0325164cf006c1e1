package apptest

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a chit that runs as a separate process.
type Process struct {
	URL, OpsURL string

	Cmd            *exec.Cmd
	Stdout, Stderr Output
	Exited         chan struct{} // closed when it has ended

	t testing.TB
}

// AnyPort lets the server choose its ports. It logs them.
var AnyPort = []string{"CHIT_LISTEN=127.0.0.1:0", "CHIT_OPS_LISTEN=127.0.0.1:0"}

var (
	loggedURL    = regexp.MustCompile(`\burl"?[=:]"?(https?://[^" ]+)`)
	loggedOpsURL = regexp.MustCompile(`\bops_url"?[=:]"?(https?://[^" ]+)`)
)

// StartChit starts a server on free ports and returns when it listens.
func StartChit(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	p := LaunchChit(t, env, args...)
	p.Listening()
	return p
}

// LaunchChit starts a server and does not wait for it.
func LaunchChit(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	return Launch(t, ChitCommand(t, append(AnyPort[:2:2], env...), args...))
}

// Launch starts a command, which is killed when the test ends. A command without outputs writes into those
// of the Process.
func Launch(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, Cmd: cmd, Exited: make(chan struct{})}
	if cmd.Stdout == nil && cmd.Stderr == nil {
		cmd.Stdout, cmd.Stderr = &p.Stdout, &p.Stderr
	}
	must(t, cmd.Start())
	go func() {
		_ = p.Cmd.Wait() // the tests look at its state
		close(p.Exited)
	}()
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill() // it may have ended
		<-p.Exited
	})
	return p
}

// Listening waits until the server has logged its addresses, which it does last.
func (p *Process) Listening() {
	p.t.Helper()
	Eventually(p.t, 15*time.Second, "the server listens", func() bool {
		select {
		case <-p.Exited:
			p.t.Fatalf("it ended: %s", p.Stderr.String())
		default:
		}
		return p.ListensAt(p.Stderr.String())
	})
}

// ListensAt takes the addresses from a log, and reports whether it has them.
func (p *Process) ListensAt(log string) bool {
	public, ops := loggedURL.FindStringSubmatch(log), loggedOpsURL.FindStringSubmatch(log)
	if public == nil || ops == nil {
		return false
	}
	p.URL, p.OpsURL = public[1], ops[1]
	return true
}

func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// Ended waits for the end of the process and returns its state. It fails the test after the limit.
func (p *Process) Ended(limit time.Duration) *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.Exited:
	case <-time.After(limit):
		p.t.Fatalf("it runs on after %v: %s", limit, p.Stderr.String())
	}
	return p.Cmd.ProcessState
}

func (p *Process) Post(path, user, secret, form string) Answer {
	p.t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.URL+path, strings.NewReader(form))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		request.SetBasicAuth(user, secret)
	}
	return Send(p.t, request)
}

func (p *Process) Token(user, secret string) string {
	p.t.Helper()
	answer := p.Post("/token", user, secret, "grant_type=client_credentials")
	if answer.Status != http.StatusOK || answer.Text("access_token") == "" {
		p.t.Fatalf("no token: %d %s", answer.Status, answer.Body)
	}
	return answer.Text("access_token")
}
