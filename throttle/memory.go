package throttle

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxRemembered bounds what a node remembers: some 15 MB.
const maxRemembered = 100_000

// memory is what a node knows by itself: who is blocked, failures that are being counted, and those
// that Redis was not there to count. The zero value is empty.
type memory struct {
	lastBlock atomic.Int64 // when the last of the blocks ends, in Unix nanoseconds; 0: there is none
	counting  atomic.Int64 // failures that are being counted

	mu      sync.Mutex
	entries map[subject]*entry
	swept   time.Time
}

// entry is what is remembered of a subject until its window ends.
type entry struct {
	failures int // that this node knows of
	counting int // that are being counted, beside those
	ends     time.Time
	blocked  bool
	check    time.Time // when to ask Redis whether the block still stands
}

// anyBlocked reports whether anyone at all may be blocked, or about to be.
func (m *memory) anyBlocked(now func() time.Time) bool {
	if m.counting.Load() > 0 {
		return true
	}
	last := m.lastBlock.Load()
	if last != 0 && now().UnixNano() >= last {
		m.lastBlock.CompareAndSwap(last, 0)
		return false
	}
	return last != 0
}

// blocked returns how long a subject is still blocked, or would be if the failures that are being
// counted were. check is true for one caller an interval: it is to ask Redis whether the block still
// stands.
func (m *memory) blocked(l limit, now time.Time) (left time.Duration, check bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[l.subject]
	if e == nil || !now.Before(e.ends) {
		return 0, false
	}
	if !e.blocked {
		return e.wouldWait(l, now), false
	}
	if check = !now.Before(e.check); check {
		e.check = now.Add(checkInterval)
	}
	return e.ends.Sub(now), check
}

// wouldWait returns what is left of the window if the failures that are known and those that are being
// counted use up the limit, else 0.
func (e *entry) wouldWait(l limit, now time.Time) time.Duration {
	if e.counting == 0 || e.failures+e.counting < l.most {
		return 0
	}
	return e.ends.Sub(now)
}

// begin notes that a failure of each of the limits' subjects is being counted, until end. Where
// others that are being counted use up a limit, it notes nothing and returns how long to wait.
func (m *memory) begin(limits []limit, now time.Time) (wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range limits {
		wait = max(wait, m.entry(l.subject, now).wouldWait(l, now))
	}
	if wait > 0 {
		return wait
	}
	for _, l := range limits {
		m.entry(l.subject, now).counting++
	}
	m.counting.Add(1)
	return 0
}

// end notes that the failure has been counted.
func (m *memory) end(limits []limit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range limits {
		if e := m.entries[l.subject]; e != nil && e.counting > 0 {
			e.counting--
		}
	}
	m.counting.Add(-1)
}

// learn takes over what Redis has counted of a subject.
func (m *memory) learn(s subject, t tally, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(s, now)
	e.failures, e.ends = t.failures, now.Add(t.left)
}

// block remembers that a subject is blocked for a time. Of a block that rests on shared counts,
// Redis is asked now and then.
func (m *memory) block(s subject, now time.Time, left time.Duration, shared bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(s, now)
	e.blocked, e.ends, e.check = true, now.Add(left), now.Add(left)
	if shared {
		e.check = now.Add(checkInterval)
	}
	m.lastBlock.Store(max(m.lastBlock.Load(), e.ends.UnixNano()))
}

// forget ends a block.
func (m *memory) forget(s subject) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, s)
}

// count counts a failure of each of the limits' subjects, on this node alone.
func (m *memory) count(limits []limit, now time.Time) []tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	tallies := make([]tally, len(limits))
	for i, l := range limits {
		e := m.entry(l.subject, now)
		e.failures++
		tallies[i] = tally{e.failures, e.ends.Sub(now)}
	}
	return tallies
}

// entry returns the entry of a subject, a new one with a new window if there is none in force.
func (m *memory) entry(s subject, now time.Time) *entry {
	e := m.entries[s]
	if e != nil && now.Before(e.ends) {
		return e
	}
	if m.entries == nil {
		m.entries = map[subject]*entry{}
	}
	m.makeRoom(now)
	e = &entry{ends: now.Add(window)}
	m.entries[s] = e
	return e
}

// makeRoom removes what has ended, once a second at the most, or else any one entry.
func (m *memory) makeRoom(now time.Time) {
	if len(m.entries) < maxRemembered {
		return
	}
	if now.Sub(m.swept) >= time.Second {
		m.swept = now
		for s, e := range m.entries {
			if !now.Before(e.ends) {
				delete(m.entries, s)
			}
		}
	}
	for s := range m.entries {
		if len(m.entries) < maxRemembered {
			return
		}
		delete(m.entries, s)
	}
}
