package audit

import (
	"slices"
	"sync"
	"time"
)

// kept is the number of events of each name that a Trail keeps. So frequent events do not push out rare ones.
const kept = 500

// Trail keeps the latest events of this node in memory. Use New.
type Trail struct {
	node  string
	since time.Time
	send  func(Event) // to Redis; nil: it is off

	mu    sync.RWMutex // guards the map, which only grows
	rings map[string]*ring
}

// ring has the latest events of one name.
type ring struct {
	mu     sync.Mutex
	events []Event // in a circle
	next   int
}

// New returns a Trail of the node with this name, which begins now. send gets a copy of each event and must not
// block; nil: it is not called.
func New(node string, send func(Event)) *Trail {
	return &Trail{node: node, since: time.Now(), send: send, rings: map[string]*ring{}}
}

// Since returns when the trail has begun.
func (t *Trail) Since() time.Time { return t.since }

// Note adds an event of this node.
func (t *Trail) Note(e Event) {
	e.Node = t.node
	t.ring(e.Name).add(e)
	if t.send != nil {
		t.send(e)
	}
}

func (t *Trail) ring(name string) *ring {
	t.mu.RLock()
	r := t.rings[name]
	t.mu.RUnlock()
	if r != nil {
		return r
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r = t.rings[name]; r == nil {
		r = &ring{}
		t.rings[name] = r
	}
	return r
}

func (r *ring) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) < kept {
		r.events = append(r.events, e)
		return
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % kept
}

// Filter selects events. Empty fields select all of them.
type Filter struct {
	Name     string
	ClientID string
}

func (f Filter) matches(e Event) bool {
	return (f.Name == "" || e.Name == f.Name) && (f.ClientID == "" || e.ClientID == f.ClientID)
}

// Latest returns events of this node, the latest first, at most limit.
func (t *Trail) Latest(filter Filter, limit int) (found []Event) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.rings {
		r.mu.Lock()
		for _, e := range r.events {
			if filter.matches(e) {
				found = append(found, e)
			}
		}
		r.mu.Unlock()
	}
	return latestFirst(found, limit)
}

func latestFirst(events []Event, limit int) []Event {
	slices.SortStableFunc(events, func(a, b Event) int { return b.At.Compare(a.At) })
	return events[:min(limit, len(events))]
}
