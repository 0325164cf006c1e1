package apptest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// spawn starts cmd. The kernel sends the signal will to it when this process dies for any reason, such as a
// timeout of the test, a panic or ^C.
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

// children returns the ids of the processes that pid has started.
func children(pid int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// The format is "id (name) state parent …", and the name may contain any character.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found = append(found, child)
		}
	}
	return found
}
