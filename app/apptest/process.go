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

// How long a server may take, on a machine that runs several test programs at once.
const (
	readyWithin = 30 * time.Second
	endWithin   = 10 * time.Second
)

// errBusy: the server found its port, or the memory of its killed predecessor, still in use.
var errBusy = errors.New("still in use")

// process is a server program that can be started more than once. Its lives share one log. Not for concurrent use.
type process struct {
	path string
	args []string
	env  []string
	dir  string              // where it runs and where its log is
	user *syscall.Credential // nil: the user of the tests
	will syscall.Signal      // what it is sent when the test process dies

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	logged int64         // length of the log when cmd started
}

// run starts the process and returns when check succeeds. Where something is still in use it tries again, prepare first: that
// is the place to choose another port.
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
	// The child has a descriptor of its own.
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
		_ = cmd.Wait() // how a server ended is in its log
		close(exited)
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// ready polls until check succeeds, the process has ended or readyWithin is over.
func (p *process) ready(check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	exited := p.exited // not to be read when the next life has begun
	go func() {
		select {
		case <-exited:
			cancel() // a check may hang on another server, which was faster on the port
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

// notReady explains with the log why the last check failed.
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

// end sends sig and returns when the process is gone; one that ignores sig is killed. It is fine to end what does not run.
func (p *process) end(sig syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.signal(sig)
	_ = p.signal(syscall.SIGCONT) // a paused process takes no other signal but SIGKILL
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

// log returns what the process has written in its present life.
func (p *process) log() string {
	all, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	return string(all[min(p.logged, int64(len(all))):])
}
