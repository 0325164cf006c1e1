package app_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// startPiped starts a server whose log goes into a pipe. The reader has read the log up to the line with
// the addresses.
func startPiped(t *testing.T) (p *apptest.Process, reader *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	cmd := apptest.ChitCommand(t, apptest.AnyPort, "--shutdown-delay=0s")
	cmd.Stderr = writer
	p = apptest.Launch(t, cmd)
	writer.Close()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if p.ListensAt(lines.Text()) {
			return p, reader
		}
	}
	t.Fatal("it ended")
	return nil, nil
}

// hammer makes this many requests. Each must be answered.
func hammer(t *testing.T, p *apptest.Process, requests int) {
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
	if got := apptest.Get(t, p.URL+"/readyz"); got.Status != http.StatusOK {
		t.Errorf("/readyz: %d", got.Status)
	}
	p.Signal(syscall.SIGTERM)
	if state := p.Ended(10 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v", state)
	}
}

// If the reader of the log goes away, the server goes on and counts the dropped lines.
func TestLogReaderGoesAway(t *testing.T) {
	t.Parallel()
	p, reader := startPiped(t)
	reader.Close()
	hammer(t, p, 400)
	apptest.Eventually(t, 5*time.Second, "the lines are counted", func() bool {
		metrics := apptest.Get(t, p.OpsURL+"/metrics").Body
		return strings.Contains(metrics, "chit_log_lines_dropped_total") && !strings.Contains(metrics, "chit_log_lines_dropped_total 0\n")
	})
	p.Signal(syscall.SIGTERM)
	if state := p.Ended(10 * time.Second); state.ExitCode() != 0 {
		t.Errorf("%v", state)
	}
}

// SIGHUP, which a closed terminal sends, stops the server in order.
func TestSIGHUPDrains(t *testing.T) {
	t.Parallel()
	p := apptest.StartChit(t, nil, "--shutdown-delay=300ms")
	p.Signal(syscall.SIGHUP)
	apptest.Eventually(t, 5*time.Second, "it is not ready", func() bool { return apptest.Get(t, p.URL+"/readyz").Text("status") == "stopping" })
	p.Token(demo, demoSecret)
	if state := p.Ended(10 * time.Second); state.ExitCode() != 0 || !strings.Contains(p.Stderr.String(), "stopped") {
		t.Errorf("%v: %s", state, p.Stderr.String())
	}
}

// Under nohup, chit serve and chit guard go on after SIGHUP.
func TestNohup(t *testing.T) {
	t.Parallel()
	guard := []string{"CHIT_GUARD_LISTEN=127.0.0.1:0", "CHIT_GUARD_OPS_LISTEN=127.0.0.1:0", "CHIT_GUARD_ISSUER=http://127.0.0.1:1", "CHIT_GUARD_CLIENT_SECRET=x"}
	for _, cmd := range []*exec.Cmd{apptest.ChitCommand(t, apptest.AnyPort, "serve", "--shutdown-delay=0s"), apptest.ChitCommand(t, guard, "guard", "--client-id=api")} {
		cmd.Path, cmd.Args = apptest.Tool(t, "nohup"), append([]string{"nohup"}, cmd.Args...)
		p := apptest.Launch(t, cmd)
		p.Listening()
		p.Signal(syscall.SIGHUP)
		time.Sleep(200 * time.Millisecond) // time to notice a signal that is not ignored
		if strings.Contains(p.Stderr.String(), "stopping") {
			t.Errorf("%v stops at SIGHUP", cmd.Args)
		}
		p.Signal(syscall.SIGTERM)
		if state := p.Ended(10 * time.Second); state.ExitCode() != 0 {
			t.Errorf("%v: %v: %s", cmd.Args, state, p.Stderr.String())
		}
	}
}
