package app

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	acceptWithin = time.Second // bounds the wait of turnAway
	acceptPoll   = time.Millisecond
)

// turnAway lets the kernel take in one connection at a time and returns when none waits to be accepted.
// Closing a listener resets those that the kernel has taken in and the server has not accepted: on a
// busy machine, many.
func turnAway(listener net.Listener) {
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), 0) }) // where that fails, the wait does most of it
	for deadline := time.Now().Add(acceptWithin); waiting(raw) && time.Now().Before(deadline); {
		time.Sleep(acceptPoll)
	}
}

// waiting reports whether connections wait to be accepted: of a listener, the kernel gives their number
// in the place of packets that are not acknowledged.
func waiting(listener syscall.RawConn) (some bool) {
	_ = listener.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		some = err == nil && info.Unacked > 0
	})
	return some
}
