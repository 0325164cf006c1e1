package apptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Time limits for a server, on a machine that runs several test programs at once.
const (
	readyWithin = 30 * time.Second
	endWithin   = 10 * time.Second
)

// errBusy means that the port, or the shared memory of a killed server, is still in use.
var errBusy = errors.New("still in use")

// process is a server program that can be started several times. All its runs share one log. It is not safe
// for concurrent use.
type process struct {
	path string
	args []string
	env  []string
	dir  string              // working directory, which also has the log
	user *syscall.Credential // nil: the user of the tests
	will syscall.Signal      // signal to send when the test process dies

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	logged int64         // length of the log when the present run started
}

// run starts the process and returns when check succeeds. It calls prepare before each attempt. If
// something is still in use, it tries again, and prepare can choose another port.
func (p *process) run(prepare func() error, check func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := prepare()
		if err == nil {
			err = p.start()
		}
		if err == nil {
			err = p.ready(check)
		}
		if err == nil {
			return nil
		}
		p.end(syscall.SIGKILL)
		if !errors.Is(err, errBusy) || attempt == 20 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p *process) start() error {
	log, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// The child process has its own descriptor.
	defer log.Close() //nolint:errcheck // nothing was written through this one
	if p.logged, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	if err := spawn(cmd, p.will); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the log shows how the server ended
		close(exited)
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// ready polls until check succeeds, the process has ended or readyWithin is over.
func (p *process) ready(check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	exited := p.exited // the field changes with the next run
	go func() {
		select {
		case <-exited:
			cancel() // check may hang on another server that took the port
		case <-ctx.Done():
		}
	}()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return p.notReady(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// notReady returns an error with the log, for a check that has failed.
func (p *process) notReady(err error) error {
	name, log := filepath.Base(p.path), p.log()
	select {
	case <-p.exited:
	default:
		return fmt.Errorf("%s not ready after %s: %w\n%s", name, readyWithin, err, log)
	}
	if strings.Contains(log, "in use") {
		return fmt.Errorf("%s: %w:\n%s", name, errBusy, log)
	}
	return fmt.Errorf("%s ended before it was ready:\n%s", name, log)
}

// end sends a signal and waits for the end of the process. It kills a process that ignores the signal. The
// process need not be running.
func (p *process) end(sig syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.signal(sig)
	_ = p.signal(syscall.SIGCONT) // a paused process only reacts to SIGKILL otherwise
	select {
	case <-p.exited:
	case <-time.After(endWithin):
		_ = p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

func (p *process) signal(sig syscall.Signal) error {
	return p.cmd.Process.Signal(sig)
}

func (p *process) logPath() string {
	return filepath.Join(p.dir, "log")
}

// log returns what the process has written in its present run.
func (p *process) log() string {
	all, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	return string(all[min(p.logged, int64(len(all))):])
}
