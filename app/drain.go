package app

import (
	"context"
	"net/http"
	"time"
)

const (
	// handshakeTime is how long the listener accepts connections after the kernel stops new ones. A client
	// whose first packet arrived before needs a round trip to establish its connection.
	handshakeTime = 200 * time.Millisecond
	// silentTime is how long a connection without a request stays open, from when it was accepted or the
	// server began to drain. Its client may be about to send one.
	silentTime = time.Second
	// stillTime is how long no connection may be busy before the server counts as idle.
	stillTime = 20 * time.Millisecond
	drainPoll = 2 * time.Millisecond
)

// drain closes the listener without losing a request on a connection that was established. It returns when
// no connection is busy, or when ctx ends.
//
// Closing a listener resets the connections that the kernel has established but the program has not
// accepted. On a busy machine these are many. Therefore drain first makes the kernel ignore new
// connections: their clients try again after a second, and are then refused. Next it accepts the
// connections that are being established, and closes the listener. http.Server.Shutdown must come last,
// because after it the server closes connections whose request it has just read. From began on, answers
// must have told clients to close their connections.
func (l *listener) drain(ctx context.Context, began time.Time) {
	l.turnAway()
	turned := time.Now()
	wait(ctx, func() bool {
		return l.pending() == 0 && (len(l.connections()) == 0 || time.Since(turned) > handshakeTime)
	})
	_ = l.Close() // an error changes nothing about what follows
	busy := time.Now()
	wait(ctx, func() bool {
		connections := l.connections()
		if anyBusy(connections, began) {
			busy = time.Now()
		}
		return len(connections) == 0 || time.Since(busy) > stillTime
	})
}

// wait returns when done returns true or ctx ends.
func wait(ctx context.Context, done func() bool) {
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *listener) connections() []*connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make([]*connection, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	return open
}

// anyBusy reports whether a connection has a request in progress or may be about to send one.
func anyBusy(connections []*connection, began time.Time) bool {
	for _, c := range connections {
		silent := began
		if c.accepted.After(began) {
			silent = c.accepted
		}
		if http.ConnState(c.state.Load()) == http.StateActive || time.Since(silent) < silentTime || unread(c.Conn) {
			return true
		}
	}
	return false
}
