//go:build !linux

package app

import "net"

// turnAway does nothing here: who is about to be accepted when the listener closes is reset.
func turnAway(net.Listener) {}
