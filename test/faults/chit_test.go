//go:build faults

package faults_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// chit is a server that runs as a separate process, always on the same address.
type chit struct {
	URL string

	t       testing.TB
	address string
	env     []string
	log     *log // of all its runs
	cmd     *exec.Cmd
	exited  chan struct{}
}

// startChit starts a server and returns when it is ready.
func startChit(t testing.TB, databaseURL, redisURL string, env ...string) *chit {
	t.Helper()
	c := &chit{t: t, log: &log{}, address: freeAddress(t)}
	c.URL = "http://" + c.address
	c.env = append([]string{"CHIT_DATABASE_URL=" + databaseURL, "CHIT_REDIS_URL=" + redisURL, "CHIT_LISTEN=" + c.address,
		"CHIT_OPS_LISTEN=127.0.0.1:0", "CHIT_SHUTDOWN_DELAY=500ms"}, env...)
	t.Cleanup(c.kill)
	c.start()
	return c
}

// start starts the server, for the first time or again.
func (c *chit) start() {
	c.t.Helper()
	end, err := leashEnd()
	if err != nil {
		c.t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(program, "serve")
	cmd.Env = append(environment(), append([]string{leash + "=3"}, c.env...)...)
	cmd.Dir, cmd.ExtraFiles, cmd.Stderr = c.t.TempDir(), []*os.File{end}, c.log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its state shows how it ended
		close(exited)
	}()
	c.cmd, c.exited = cmd, exited
	eventually(c.t, 20*time.Second, "chit is ready", c.ready)
}

func (c *chit) ready() bool {
	select {
	case <-c.exited:
		c.t.Fatalf("chit ended: %s", c.log)
	default:
	}
	response, err := http.DefaultClient.Get(c.URL + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

var loggedOpsURL = regexp.MustCompile(`"ops_url":"(http://[^"]+)"`)

// opsURL returns the address of the metrics of the present run.
func (c *chit) opsURL() string {
	c.t.Helper()
	all := loggedOpsURL.FindAllStringSubmatch(c.log.String(), -1)
	if len(all) == 0 {
		c.t.Fatal("the log does not say where the metrics are")
	}
	return all[len(all)-1][1]
}

func (c *chit) kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill() // it may have ended
		<-c.exited
	}
}

// terminate sends SIGTERM and waits for the end. The test fails if the server does not stop in order.
func (c *chit) terminate() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-c.exited:
	case <-time.After(15 * time.Second):
		c.t.Fatal("it does not end")
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("it ended with %d: %s", code, c.log)
	}
}

// resident returns the resident memory of the process in bytes.
func (c *chit) resident() int {
	c.t.Helper()
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/statm")
	if err != nil {
		c.t.Skip("needs /proc: skipped")
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		c.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func environment() (kept []string) {
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "CHIT_") && !strings.HasPrefix(entry, "PG") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// keepLeash is the end of the leash that closes when this process ends.
var keepLeash *os.File

var leashEnd = sync.OnceValues(func() (end *os.File, err error) {
	end, keepLeash, err = os.Pipe()
	return end, err
})

// freeAddress returns a loopback address with a port below the range of outgoing connections, so that it
// stays free while its server is down.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		listener, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(10_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		return listener.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// log collects the output of a server.
type log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// count returns the number of lines that contain the text.
func (l *log) count(text string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
