package stack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used since its start, and what it uses now.
type Usage struct {
	CPU  time.Duration // user and system, of all threads
	RSS  int64         // bytes
	Peak int64         // peak RSS since the last ForgetPeak
}

// tick is the unit of times in /proc/PID/stat: sysconf(_SC_CLK_TCK), which is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// Usage reads the usage of the process from /proc.
func (s *Server) Usage() (Usage, error) {
	stat, errStat := os.ReadFile(s.proc("stat"))
	status, errStatus := os.ReadFile(s.proc("status"))
	if err := errors.Join(errStat, errStatus); err != nil {
		return Usage{}, err
	}
	return usageIn(stat, string(status))
}

// ForgetPeak resets the peak. If the kernel does not allow that, the peak counts from the start of the
// process.
func (s *Server) ForgetPeak() {
	_ = os.WriteFile(s.proc("clear_refs"), []byte("5"), 0)
}

func (s *Server) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(s.process.cmd.Process.Pid), file)
}

func usageIn(stat []byte, status string) (Usage, error) {
	// The format is "id (name) state parent …", and the name may contain any character. utime and stime are
	// fields 14 and 15.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return Usage{}, fmt.Errorf("/proc/PID/stat: %q", stat)
	}
	user, errUser := strconv.ParseInt(string(fields[11]), 10, 64)
	system, errSystem := strconv.ParseInt(string(fields[12]), 10, 64)
	rss, errRSS := kilobytes(status, "VmRSS:")
	peak, errPeak := kilobytes(status, "VmHWM:")
	if err := errors.Join(errUser, errSystem, errRSS, errPeak); err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(user+system) * tick, RSS: rss, Peak: peak}, nil
}

func kilobytes(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, name); found {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/PID/status has no %s", name)
}
