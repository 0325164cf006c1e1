package apptest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// leash is set for a chit that must end with the tests. Its descriptor 3 is a pipe, and the tests hold the
// other end.
const leash = "CHIT_TEST_LEASH"

// RunWithChit is Run for tests that start the program: it puts chit into PATH. main is that of the program.
func RunWithChit(m *testing.M, main func()) {
	if os.Getenv("GORACE") == "" {
		// With the race detector a process sleeps for a second before it exits. That includes every chit.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	testscript.Main(Tests{M: m}, map[string]func(){"chit": func() {
		if os.Getenv(leash) != "" {
			go func() {
				_, _ = os.NewFile(3, "leash").Read(make([]byte, 1)) // nothing is written: this waits for the end
				os.Exit(3)
			}()
		}
		main()
	}})
}

// Result is the result of a command.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Chit runs a command to its end. env has all CHIT_ variables of its environment.
func Chit(t testing.TB, env []string, args ...string) Result {
	t.Helper()
	return ChitWith(t, "", env, args...)
}

// ChitWith is Chit with text on standard input.
func ChitWith(t testing.TB, stdin string, env []string, args ...string) Result {
	t.Helper()
	cmd := ChitCommand(t, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func ChitCommand(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ends, err := leashEnds()
	must(t, err)
	cmd := exec.Command("chit", args...)
	cmd.Dir = t.TempDir()
	cmd.ExtraFiles = []*os.File{ends.of}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "CHIT_") && !strings.HasPrefix(entry, "PG") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(append(cmd.Env, leash+"=3"), env...)
	return cmd
}

// leashEnds are the ends of the leash. The end that this process holds stays open until the process ends.
var leashEnds = sync.OnceValues(func() (ends struct{ of, held *os.File }, err error) {
	ends.of, ends.held, err = os.Pipe()
	return ends, err
})

// oneShot is a client that keeps no connection open.
var oneShot = &http.Transport{DisableKeepAlives: true}

func Get(t testing.TB, url string) Answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Send(t, request)
}

func Send(t testing.TB, request *http.Request) Answer {
	t.Helper()
	return SendBy(t, oneShot, request)
}

// SendBy is Send by a transport.
func SendBy(t testing.TB, transport http.RoundTripper, request *http.Request) Answer {
	t.Helper()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// Eventually fails the test unless check returns true within the limit.
func Eventually(t testing.TB, limit time.Duration, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// Tool returns the path of another program that a test needs.
func Tool(t testing.TB, name string) string {
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

// Output is what a running program has written so far.
type Output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}
