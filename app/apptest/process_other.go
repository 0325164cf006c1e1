//go:build !linux

package apptest

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// spawn starts cmd. Only Linux can signal a child when this process dies. On other systems, a test that
// times out leaves its servers running.
func spawn(cmd *exec.Cmd, _ syscall.Signal) error {
	return cmd.Start()
}

// children returns the ids of the processes that pid has started.
func children(pid int) []int {
	// pgrep fails if there are none.
	out, _ := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	var found []int
	for _, field := range strings.Fields(string(out)) {
		if child, err := strconv.Atoi(field); err == nil {
			found = append(found, child)
		}
	}
	return found
}
