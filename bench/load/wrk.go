package load

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed load.lua
var script []byte

// Wrk runs wrk.
type Wrk struct {
	Dir string // directory of its script and of the requests

	path    string
	threads int
}

// Work is a job for wrk.
type Work struct {
	URL         string
	Requests    []Request // sent in rotation
	Expected    []string  // the body of a correct answer contains one of these
	Connections int
	Duration    time.Duration // whole seconds
}

// Result is the result of a job. wrk measures latencies from the last write of a request to the end of its
// answer. It corrects them for requests that were not sent because an answer was late.
type Result struct {
	Requests int64         `json:"requests"`
	Took     time.Duration `json:"took"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Errors   int64         `json:"errors"`           // failed connections, timeouts (over 2 s) and wrong answers
	Sample   string        `json:"sample,omitempty"` // status and body of a wrong answer
}

// NewWrk returns a Wrk without a Dir. If wrk is missing, the error says how to install it.
func NewWrk(threads int) (*Wrk, error) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		return nil, errors.New("wrk, which makes the load, is not installed: apt-get install wrk")
	}
	return &Wrk{path: path, threads: threads}, nil
}

// Run runs the job and returns when it is done.
func (w *Wrk) Run(ctx context.Context, work Work) (Result, error) {
	program, requests := filepath.Join(w.Dir, "load.lua"), filepath.Join(w.Dir, "requests")
	err := errors.Join(os.WriteFile(program, script, 0o600), os.WriteFile(requests, []byte(lines(work.Requests)), 0o600))
	if err != nil {
		return Result{}, err
	}
	cmd := exec.CommandContext(ctx, w.path, append([]string{
		"--threads", strconv.Itoa(min(w.threads, work.Connections)), "--connections", strconv.Itoa(work.Connections),
		"--duration", strconv.Itoa(int(work.Duration.Seconds())) + "s", "--script", program,
		work.URL, "--", requests,
	}, work.Expected...)...)
	// wrk must not receive ^C from the terminal, because it would end its measurement early.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if err != nil {
		return Result{}, fmt.Errorf("wrk: %w: %s%s", err, out, &stderr)
	}
	return parse(string(out))
}

// parse parses the line that load.lua prints after the output of wrk.
func parse(out string) (Result, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var line struct {
		Requests, Microseconds, P50, P99     int64
		Connect, Read, Write, Timeout, Wrong int64
		Sample                               string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		return Result{}, fmt.Errorf("wrk's last line is not load.lua's: %w:\n%s", err, out)
	}
	if line.Requests == 0 {
		return Result{}, fmt.Errorf("wrk got no answer at all:\n%s", out)
	}
	return Result{
		Requests: line.Requests,
		Took:     time.Duration(line.Microseconds) * time.Microsecond,
		P50:      time.Duration(line.P50) * time.Microsecond,
		P99:      time.Duration(line.P99) * time.Microsecond,
		Errors:   line.Connect + line.Read + line.Write + line.Timeout + line.Wrong,
		Sample:   strings.TrimSpace(line.Sample),
	}, nil
}
