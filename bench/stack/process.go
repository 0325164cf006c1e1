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

// program is what to start.
type program struct {
	path string
	args []string
	env  []string            // settings beside those of environment
	user *syscall.Credential // nil: the user of the benchmark
	stop syscall.Signal      // what asks it to end
}

// process is a program that runs. What it prints goes to a file.
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
	// In append mode, so that the file can be emptied while the program writes to it.
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has a descriptor of its own
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(p.env...), log, log
	// A group of its own: a ^C at the terminal is for the benchmark, which then ends its programs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user, Setpgid: true}
	if err := spawn(cmd, p.stop); err != nil {
		return nil, err
	}
	started := &process{cmd: cmd, log: logPath, stop: p.stop, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(started.exited)
	}()
	if err := started.ready(ctx, check); err != nil {
		started.end()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, started.tail(20))
	}
	return started, nil
}

// ready polls until check succeeds, the process has ended or its time is over.
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

// end asks the process to end and returns when it has; one that does not listen is killed.
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

// environment returns this process's variables without those that would change how the programs behave, and settings.
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

// spawn starts cmd so that it is sent will when this process dies, however that happens.
func spawn(cmd *exec.Cmd, will syscall.Signal) error {
	cmd.SysProcAttr.Pdeathsig = will
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

// The kernel sends Pdeathsig when the thread that started the child ends, which may be long before its process does. So every
// child is started from one goroutine that is locked to its thread and never returns.
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

// freeAddress returns one on loopback where nobody listens now, on a port below those that the kernel gives to outgoing
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
