package usage

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	minutes = 60             // that are kept of the totals
	span    = 5              // minutes between the numbers that are kept for each client
	spans   = minutes / span // numbers that are kept for each client
)

// snapshot are the totals at a time.
type snapshot struct {
	issued, introspected, refused int64
	durations                     Histogram
}

type clientCounts struct{ issued, introspected, refused int64 }

// hour are the totals at the start of each minute of the last hour.
type hour struct {
	mu     sync.Mutex
	starts []moment // oldest first, at most minutes
	since  time.Time
}

type moment struct {
	at    time.Time
	total snapshot
}

func (h *hour) start(at time.Time, total snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		h.since = at
	}
	h.starts = append(h.starts, moment{at, total})
	if len(h.starts) > minutes {
		h.starts = slices.Delete(h.starts, 0, len(h.starts)-minutes)
	}
}

// Minute is what this node has answered in a minute.
type Minute struct {
	Start                         time.Time
	Issued, Introspected, Refused int64
	P50, P99                      time.Duration // of the time of a request; 0: there was none
}

// Top is a client with the numbers of its requests within the last hour, to within five minutes.
type Top struct {
	ClientID                      string
	Issued, Introspected, Refused int64
	LastUsed                      *time.Time // nil: not since the node has started
	LastToken                     *time.Time // nil: not since the node has started
}

// Since returns when the tracker has begun to count.
func (t *Tracker) Since() time.Time {
	t.hour.mu.Lock()
	defer t.hour.mu.Unlock()
	return t.hour.since
}

// Minutes returns the minutes of the last hour, oldest first. The last one is not over.
func (t *Tracker) Minutes() []Minute {
	now := t.totals()
	t.hour.mu.Lock()
	defer t.hour.mu.Unlock()
	found := make([]Minute, len(t.hour.starts))
	for i, start := range t.hour.starts {
		end := now
		if i+1 < len(t.hour.starts) {
			end = t.hour.starts[i+1].total
		}
		took := end.durations.since(start.total.durations)
		found[i] = Minute{
			start.at, end.issued - start.total.issued, end.introspected - start.total.introspected, end.refused - start.total.refused,
			took.Quantile(0.5), took.Quantile(0.99),
		}
	}
	return found
}

// Top returns the clients with the most successful requests within the last hour, the busiest first, at most
// limit.
func (t *Tracker) Top(limit int) []Top {
	return t.most(limit, func(top Top) int64 { return top.Issued + top.Introspected })
}

// Refusals returns the clients whose requests were refused most often within the last hour, at most limit.
func (t *Tracker) Refusals(limit int) []Top {
	return t.most(limit, func(top Top) int64 { return top.Refused })
}

// most returns the clients with the highest number above 0.
func (t *Tracker) most(limit int, number func(Top) int64) []Top {
	t.mu.RLock()
	found := make([]Top, 0, len(t.clients))
	for id, c := range t.clients {
		past := c.past[spans-1]
		top := Top{
			id, c.issued.Load() - past.issued, c.introspected.Load() - past.introspected, c.refused.Load() - past.refused,
			instant(c.lastUsed.Load()), instant(c.lastToken.Load()),
		}
		if number(top) > 0 {
			found = append(found, top)
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(found, func(a, b Top) int {
		return cmp.Or(cmp.Compare(number(b), number(a)), cmp.Compare(a.ClientID, b.ClientID))
	})
	return found[:min(limit, len(found))]
}

func (t *Tracker) totals() snapshot {
	return snapshot{t.total.issued.Load(), t.total.introspected.Load(), t.total.refused.Load(), t.durations()}
}

// minute begins a new minute.
func (t *Tracker) minute(now time.Time) {
	t.hour.start(now, t.totals())
	t.begun++
	if t.begun%span == 0 {
		t.nextSpan(now)
	}
}

// nextSpan begins a new span for every client, and forgets clients that were not seen for an hour.
func (t *Tracker) nextSpan(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.clients {
		if c.isRecorded() && now.Unix()-max(c.lastUsed.Load(), c.lastRefused.Load()) > minutes*60 {
			delete(t.clients, id)
			if c.counted {
				t.free++
			}
			continue
		}
		copy(c.past[1:], c.past[:])
		c.past[0] = clientCounts{c.issued.Load(), c.introspected.Load(), c.refused.Load()}
	}
}
