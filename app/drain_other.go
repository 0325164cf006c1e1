//go:build !linux

package app

import "net"

// turnAway does nothing on this system. Connections that are established but not accepted when the listener
// closes are reset.
func (l *listener) turnAway() {}

func (l *listener) pending() int { return 0 }

func unread(net.Conn) bool { return false }
