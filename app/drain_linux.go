package app

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// dropNew is a socket filter that drops the first packet of each new connection (SYN without ACK) and no
// other. It sees packets from the TCP header on. The flags are in byte 14.
var dropNew = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: flagSYN | flagACK},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: flagSYN},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

const flagSYN, flagACK = 0x02, 0x10

// turnAway makes the kernel ignore new connections. Connections that are being established are not
// affected.
func (l *listener) turnAway() {
	onSocket(l.Listener, func(fd int) {
		program := unix.SockFprog{Len: uint16(len(dropNew)), Filter: &dropNew[0]}
		_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program) // without the filter, the waiting times still help
	})
}

// pending returns the number of connections that are established but not accepted. For a listener, the
// kernel reports that number as unacknowledged packets.
func (l *listener) pending() (n int) {
	onSocket(l.Listener, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int(info.Unacked)
		}
	})
	return n
}

// unread reports whether a connection has received bytes that were not read yet.
func unread(conn net.Conn) (some bool) {
	onSocket(conn, func(fd int) {
		n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		some = err == nil && n > 0
	})
	return some
}

func onSocket(socket any, do func(fd int)) {
	withSocket, ok := socket.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := withSocket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { do(int(fd)) }) // it fails only if the socket is closed
}
