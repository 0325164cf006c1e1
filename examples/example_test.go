package main

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The example runs as its README says: both services answer, refuse the revoked token, and answer again.
func TestExample(t *testing.T) {
	cmd := exec.Command("go", "run", ".")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop.Stop()
	wanted := []string{
		"invoices: 200 OK invoices for my-machine-client",
		"reports: 200 OK reports for my-machine-client",
		"operator: the tokens of my-machine-client are inactive",
		"401 Unauthorized",
		"invoices: 200 OK",
		"reports: 200 OK",
	}
	var printed strings.Builder
	for lines := bufio.NewScanner(out); len(wanted) > 0 && lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), wanted[0]) {
			wanted = wanted[1:]
		}
	}
	if len(wanted) > 0 {
		t.Errorf("it did not print %q: %s", wanted[0], &printed)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
		}
	}()
	_ = cmd.Wait() // go run reports the signal
}
