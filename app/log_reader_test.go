package app_test

import (
	"bufio"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startPiped starts a server whose log goes into a pipe. The reader has read the log up to the line with
// the addresses.
func startPiped(t *testing.T) (p *program, reader *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	p = &program{t: t, cmd: command(t, anyPort, "--shutdown-delay=0s"), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	go func() {
		_ = p.cmd.Wait() // the tests look at its state
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exited
	})
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if found := loggedURL.FindStringSubmatch(lines.Text()); found != nil {
			p.URL, p.OpsURL = found[1], loggedOpsURL.FindStringSubmatch(lines.Text())[1]
			return p, reader
		}
	}
	t.Fatal("it ended")
	return nil, nil
}

// hammer makes this many requests. Each must be answered.
func hammer(t *testing.T, p *program, requests int) {
	t.Helper()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for range requests / 8 {
				response, err := client.Post(p.URL+"/token", "application/x-www-form-urlencoded",
					strings.NewReader(tokenPlease+"&client_id="+demo+"&client_secret="+demoSecret))
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Error(response.Status)
				}
			}
		})
	}
	wait.Wait()
}

// If nobody reads the log, requests are answered and the server can stop.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	p, _ := startPiped(t)
	hammer(t, p, 4000) // the pipe takes about 200 of the lines
	if got := get(t, p.URL+"/readyz"); got.Status != http.StatusOK {
		t.Errorf("/readyz: %d", got.Status)
	}
	p.signal(syscall.SIGTERM)
	if state := p.ended(10 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v", state)
	}
}

// If the reader of the log goes away, the server goes on and counts the dropped lines.
func TestLogReaderGoesAway(t *testing.T) {
	t.Parallel()
	p, reader := startPiped(t)
	reader.Close()
	hammer(t, p, 400)
	eventually(t, 5*time.Second, "the lines are counted", func() bool {
		metrics := get(t, p.OpsURL+"/metrics").Body
		return strings.Contains(metrics, "chit_log_lines_dropped_total") && !strings.Contains(metrics, "chit_log_lines_dropped_total 0\n")
	})
	p.signal(syscall.SIGTERM)
	if state := p.ended(10 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v", state)
	}
}

// SIGHUP, which a closed terminal sends, stops the server in order.
func TestSIGHUPDrains(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "--shutdown-delay=300ms")
	p.signal(syscall.SIGHUP)
	eventually(t, 5*time.Second, "it is not ready", func() bool { return get(t, p.URL+"/readyz").Text("status") == "stopping" })
	p.token(demo, demoSecret)
	if state := p.ended(10 * time.Second); state.ExitCode() != 0 || !strings.Contains(p.stderr.String(), "stopped") {
		t.Errorf("%v: %s", state, p.stderr.String())
	}
}
