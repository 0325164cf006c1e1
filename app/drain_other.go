//go:build !linux

package app

import "net"

// turnAway does nothing here: who is about to be accepted when the listener closes is reset.
func (l *listener) turnAway() {}

func (l *listener) pending() int { return 0 }

func unread(net.Conn) bool { return false }
