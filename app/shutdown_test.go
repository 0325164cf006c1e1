package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// A load balancer sees that the server is not ready, and no request is refused meanwhile.
func TestSIGTERMServesOnThenEndsWithWhatIsInFlight(t *testing.T) {
	t.Parallel()
	const delay = time.Second
	p := apptest.StartChit(t, nil, "--shutdown-delay=1s", "--request-timeout=10s")
	slow := halfRequest(t, p)
	if got := apptest.Get(t, p.URL+"/readyz"); got.Status != http.StatusOK || got.Text("status") != "ready" {
		t.Fatalf("before: %d %s", got.Status, got.Body)
	}
	told := time.Now()
	p.Signal(syscall.SIGTERM)
	apptest.Eventually(t, delay, "it is not ready", func() bool { return apptest.Get(t, p.URL+"/readyz").Status == http.StatusServiceUnavailable })
	if got := apptest.Get(t, p.URL+"/readyz").Text("status"); got != "stopping" {
		t.Errorf("status %q", got)
	}
	p.Token(demo, demoSecret)
	apptest.Eventually(t, 10*time.Second, "it stops listening", func() bool { return !reachable(p.URL) })
	if after := time.Since(told); after < delay {
		t.Errorf("it stopped listening after %v, before the delay was over", after)
	}
	if got := slow.finish(); got.StatusCode != http.StatusOK {
		t.Errorf("the request in flight: %s", got.Status)
	}
	if state := p.Ended(10 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v: %s", state, p.Stderr.String())
	}
}

func TestSIGTERMGivesUpAtTheTimeout(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, nil, "--shutdown-delay=0s", "--shutdown-timeout=200ms")
	halfRequest(t, p)
	p.Signal(syscall.SIGTERM)
	if state := p.Ended(5 * time.Second); state.ExitCode() != 1 {
		t.Errorf("status %v", state)
	}
	if log := p.Stderr.String(); !strings.Contains(log, "still in flight") {
		t.Errorf("it does not say why: %s", log)
	}
}

func TestSIGINTDoesNotWaitForLoadBalancers(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, nil, "--shutdown-delay=1m")
	p.Signal(syscall.SIGINT)
	if state := p.Ended(5 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v: %s", state, p.Stderr.String())
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			p := apptest.StartChit(t, nil, "--shutdown-delay=1m")
			p.Signal(syscall.SIGTERM)
			apptest.Eventually(t, 5*time.Second, "it says that it stops", func() bool { return strings.Contains(p.Stderr.String(), "stopping") })
			p.Signal(second)
			if state := p.Ended(5 * time.Second); state.ExitCode() != 1 {
				t.Errorf("it ended otherwise: %v", state)
			}
			if log := p.Stderr.String(); !strings.HasSuffix(log, "chit: a second signal, "+second.String()+": ended without waiting for requests in flight\n") {
				t.Errorf("it does not say why: %s", log)
			}
		})
	}
}

// slowRequest is a token request of which the server has received half.
type slowRequest struct {
	t    *testing.T
	conn net.Conn
	rest string
}

func halfRequest(t *testing.T, p *apptest.Process) *slowRequest {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	body := tokenPlease + "&client_id=" + demo + "&client_secret=" + demoSecret
	half := len(body) / 2
	_, err = fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: chit\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:half])
	if err != nil {
		t.Fatal(err)
	}
	// Connections are accepted in order. When this request is answered, the other connection was accepted.
	apptest.Get(t, p.URL+"/healthz")
	return &slowRequest{t, conn, body[half:]}
}

// finish sends the rest and returns the answer.
func (r *slowRequest) finish() *http.Response {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, r.rest); err != nil {
		r.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return response
}

func reachable(url string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
