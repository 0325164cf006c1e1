package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyWithin = 30 * time.Second
	endWithin   = 10 * time.Second
)

// program describes a program to start.
type program struct {
	path string
	args []string
	env  []string            // variables in addition to those of environment
	user *syscall.Credential // nil: the user of the benchmark
	stop syscall.Signal      // signal that stops it
}

// process is a running program. Its output goes to a file.
type process struct {
	cmd    *exec.Cmd
	log    string
	stop   syscall.Signal
	exited chan struct{}
}

// start starts a program in dir and returns when check succeeds.
func start(ctx context.Context, dir string, p program, check func(context.Context) error) (*process, error) {
	name := filepath.Base(p.path)
	logPath := filepath.Join(dir, name+".log")
	// The file is in append mode, so that it can be emptied while the program writes to it.
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(p.env...), log, log
	// The process has its own group. ^C at the terminal only reaches the benchmark, which stops its
	// programs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user, Setpgid: true}
	if err := spawn(cmd, p.stop); err != nil {
		return nil, err
	}
	started := &process{cmd: cmd, log: logPath, stop: p.stop, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the log shows how it ended
		close(started.exited)
	}()
	if err := started.ready(ctx, check); err != nil {
		started.end()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, started.tail(20))
	}
	return started, nil
}

// ready polls until check succeeds, the process has ended, or the time is over.
func (p *process) ready(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready after %s", readyWithin))
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end stops the process and waits for its end. It kills a process that does not stop.
func (p *process) end() {
	_ = p.cmd.Process.Signal(p.stop) // it may have ended by itself
	select {
	case <-p.exited:
	case <-time.After(endWithin):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// tail returns the last lines of the log.
func (p *process) tail(lines int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// environment returns the variables of this process, without those that would change the programs, and with
// settings.
func environment(settings ...string) []string {
	var kept []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "CHIT_") && !strings.HasPrefix(name, "PG") &&
			name != "GOGC" && name != "GOMAXPROCS" && name != "GOMEMLIMIT" && name != "GODEBUG" {
			kept = append(kept, entry)
		}
	}
	return append(append(kept, "LC_ALL=C"), settings...)
}

// spawn starts cmd. The kernel sends the signal will to it when this process dies for any reason.
func spawn(cmd *exec.Cmd, will syscall.Signal) error {
	cmd.SysProcAttr.Pdeathsig = will
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

// The kernel sends Pdeathsig when the thread that started the child ends. The Go runtime may end a thread
// before the process does. So every child is started from one goroutine, which is locked to its thread and
// never returns.
var spawner = sync.OnceValue(func() chan<- func() {
	orders := make(chan func())
	go func() {
		runtime.LockOSThread()
		for order := range orders {
			order()
		}
	}()
	return orders
})

// freeAddress returns a loopback address on which nothing listens, with a port below the range of outgoing
// connections.
func freeAddress() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(22_000)))
		if l, err := net.Listen("tcp4", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port on 127.0.0.1")
}
