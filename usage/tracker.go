// Package usage knows in memory who uses this node: when each client was last seen, and what was requested
// within the last hour.
package usage

import (
	"sync"
	"sync/atomic"
	"time"
)

// Tracker counts requests. Its methods do not block on I/O.
type Tracker struct {
	now       func() time.Time
	durations func() Histogram
	total     counts
	hour      hour
	recent    recent
	begun     int // minutes that have begun since the start; only Run uses it

	mu      sync.RWMutex
	clients map[string]*Client
	free    int // counters that no client has
}

// counts are numbers of requests since the start.
type counts struct{ issued, introspected, refused atomic.Int64 }

// Client is what is known about a client. It is forgotten when the client was not seen for an hour.
type Client struct {
	of                  *Tracker
	lastUsed, lastToken atomic.Int64 // Unix seconds; 0: not seen
	lastRefused         atomic.Int64 // Unix seconds; 0: not refused
	counts                           // numbers of requests
	counted             bool         // it has counters of its own

	// Only Run uses the fields below.
	recorded struct{ used, token int64 } // of lastUsed and lastToken, what is recorded
	past     [spans]clientCounts         // the numbers at the start of each span of the last hour, the latest first
}

// New returns a Tracker with this clock. At most counted clients get counters of their own. durations returns
// how long requests have taken since the start; nil: it is not known.
func New(now func() time.Time, counted int, durations func() Histogram) *Tracker {
	if durations == nil {
		durations = func() Histogram { return Histogram{} }
	}
	t := &Tracker{now: now, durations: durations, clients: map[string]*Client{}, free: counted}
	t.hour.start(now(), t.totals())
	t.recent.add(now(), t.totals())
	return t
}

// Used notes that a client has authenticated at the time at. The caller uses the result only during the same
// request.
func (t *Tracker) Used(clientID string, at time.Time) *Client {
	now := at.Unix()
	t.mu.RLock()
	c := t.clients[clientID]
	if c != nil {
		seen(&c.lastUsed, now) // under the lock, so that the client is not forgotten meanwhile
	}
	t.mu.RUnlock()
	if c != nil {
		return c
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c = t.client(clientID)
	seen(&c.lastUsed, now)
	return c
}

// client returns the client, which may be new. The tracker is locked for writing.
func (t *Tracker) client(id string) *Client {
	c := t.clients[id]
	if c == nil {
		c = &Client{of: t, counted: t.free > 0}
		if c.counted {
			t.free--
		}
		t.clients[id] = c
	}
	return c
}

// seen stores a time unless it is stored already, because concurrent writes to one place are slow.
func seen(last *atomic.Int64, now int64) {
	if last.Load() != now {
		last.Store(now)
	}
}

// Issued notes that the client has got a token, in the request that was noted last.
func (c *Client) Issued() {
	seen(&c.lastToken, c.lastUsed.Load())
	c.issued.Add(1)
	c.of.total.issued.Add(1)
}

// Introspected notes that the client has asked about a token.
func (c *Client) Introspected() {
	c.introspected.Add(1)
	c.of.total.introspected.Add(1)
}

// Refused notes a request that was refused because of what it contains. clientID is empty, or the id of a client
// that exists.
func (t *Tracker) Refused(clientID string) {
	t.total.refused.Add(1)
	if clientID == "" {
		return
	}
	now := t.now().Unix()
	t.mu.RLock()
	c := t.clients[clientID]
	if c != nil {
		seen(&c.lastRefused, now)
	}
	t.mu.RUnlock()
	if c == nil {
		t.mu.Lock()
		c = t.client(clientID)
		seen(&c.lastRefused, now)
		t.mu.Unlock()
	}
	c.refused.Add(1)
}
