package throttle

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxRemembered is the maximum number of entries, about 15 MB.
const maxRemembered = 100_000

// memory is the state of one node: who is blocked, which failures are being counted, and the counts of
// failures while Redis is away. The zero value is empty.
type memory struct {
	lastBlock atomic.Int64 // when the last block ends, in Unix nanoseconds; 0: there is no block
	counting  atomic.Int64 // failures that are being counted

	mu      sync.Mutex
	entries map[subject]*entry
	swept   time.Time
}

// entry is the state of a subject until its window ends.
type entry struct {
	failures int // failures that this node knows of
	counting int // failures that are being counted, in addition
	ends     time.Time
	blocked  bool
	check    time.Time // when to ask Redis whether the block still exists
}

// anyBlocked reports whether any subject is blocked or may be about to be.
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

// blocked returns how long a subject is still blocked. Failures that are being counted are included. check
// is true for one caller in each interval, who must ask Redis whether the block still exists.
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

// wouldWait returns the rest of the window if the known failures and those being counted reach the limit.
// Otherwise it returns 0.
func (e *entry) wouldWait(l limit, now time.Time) time.Duration {
	if e.counting == 0 || e.failures+e.counting < l.most {
		return 0
	}
	return e.ends.Sub(now)
}

// begin records that a failure is being counted for the subject of each limit; end must follow. If the
// failures that are being counted already reach a limit, begin records nothing and returns how long to
// wait.
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

// end records that the failure has been counted.
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

// learn stores the count that Redis has for a subject.
func (m *memory) learn(s subject, t tally, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(s, now)
	e.failures, e.ends = t.failures, now.Add(t.left)
}

// block records that a subject is blocked. If the count is shared, Redis is asked from time to time whether
// the block still exists.
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

// count counts a failure for the subject of each limit, on this node only.
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

// entry returns the entry of a subject. It makes a new one with a new window if there is none.
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

// makeRoom deletes entries that have ended, at most once a second. If that is not enough, it deletes any
// entry.
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
