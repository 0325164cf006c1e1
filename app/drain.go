package app

import (
	"context"
	"net/http"
	"time"
)

const (
	// handshakeTime is for how long connections are still accepted when no new ones can begin: one whose
	// client has sent its first packet before takes a round trip to be established.
	handshakeTime = 200 * time.Millisecond
	// silentTime is for how long a connection may be without a request, from when it was accepted or the
	// server began to drain, before it may be closed. Its client may be about to send one.
	silentTime = time.Second
	// stillTime is for how long nothing may be under way before the server counts as at rest.
	stillTime = 20 * time.Millisecond
	drainPoll = 2 * time.Millisecond
)

// drain ends the listener so that no request is lost that was accepted, and returns when nothing is under
// way, or when ctx ends.
//
// To close a listener resets the connections that the kernel has established and nobody has accepted
// yet: on a busy machine, many. So it first has the kernel leave requests for new connections
// unanswered, which their clients repeat after a second, to be refused. Then it waits for those under
// way, and closes the listener alone. http.Server.Shutdown comes after that: from then on the server
// closes connections whose request it has just read. Answers must have told clients to close since began.
func (l *listener) drain(ctx context.Context, began time.Time) {
	l.turnAway()
	turned := time.Now()
	wait(ctx, func() bool {
		return l.pending() == 0 && (len(l.connections()) == 0 || time.Since(turned) > handshakeTime)
	})
	_ = l.Close() // there is nothing else to do about an error than to end
	busy := time.Now()
	wait(ctx, func() bool {
		connections := l.connections()
		if anyBusy(connections, began) {
			busy = time.Now()
		}
		return len(connections) == 0 || time.Since(busy) > stillTime
	})
}

// wait returns when done reports true or ctx ends.
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

// anyBusy reports whether one of the connections has a request under way, or may have one to come.
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
