// Package invalidations tells resource servers which of the introspection answers that they keep are void.
//
// The database and Redis report to a Hub what ends tokens. The Hub keeps the latest events in a log, and
// each Receiver reads the log at its own pace. So a receiver costs no memory for events, and a slow one
// delays nobody.
package invalidations

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/models"
)

const (
	// logLength is the number of events in the log of a Hub. A receiver that is further behind gets one
	// event "all" in their place.
	logLength = 4096
	// maxProofAge is the greatest age of a proof that a heartbeat may rely on.
	maxProofAge = 100 * time.Millisecond
	// minInterval is the shortest time between two heartbeats.
	minInterval = 200 * time.Millisecond
	// behind is how old the client may be that a node uses for an introspection. A new receiver gets the
	// events of this time that another node may not have heard yet.
	behind = time.Second
	// maxReceivers limits the memory of connections.
	maxReceivers = 10_000
)

var (
	errDeaf             = fmt.Errorf("%w: this node does not hear of every change", models.ErrUnavailable)
	errTooManyReceivers = fmt.Errorf("%w: too many receivers of invalidations", models.ErrUnavailable)
	errClosed           = fmt.Errorf("%w: the server is stopping", models.ErrUnavailable)
)

// Hub collects events from its sources and hands them to receivers.
type Hub struct {
	now     func() time.Time
	began   time.Time
	metrics *metrics

	mu        sync.Mutex // guards the fields below, and the fields of sources
	sources   []*Source
	log       [logLength]entry // the event with number n is at n % logLength
	next      uint64           // number of the next event
	hearing   bool             // every source has been proven since its last loss
	beat      time.Time        // of the last heartbeat
	receivers int
	closed    bool
	changed   chan struct{} // closed when there is an event, when hearing begins, and by Close
}

// NewHub returns a hub without sources. Its metrics are registered with registry.
func NewHub(registry prometheus.Registerer) *Hub {
	h := &Hub{now: time.Now, began: time.Now(), changed: make(chan struct{})}
	h.metrics = newMetrics(registry, h)
	return h
}

// Source is where events come from. The methods do not block for long, and may be called concurrently.
type Source struct {
	hub      *Hub
	replayed bool
	lost     bool
	proven   time.Time
}

// NewSource adds a source. It counts as lost until it is proven. Events of a source with replay may have
// reached this node up to a second before others: receivers that connect later get them too.
func (h *Hub) NewSource(replay bool) *Source {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Source{hub: h, replayed: replay, lost: true}
	h.sources = append(h.sources, s)
	h.hearing = false
	return s
}

// TokenEnded reports that a token has ended.
func (s *Source) TokenEnded(jti string) { s.report(kindToken, jti) }

// ClientChanged reports that a client was changed or deleted.
func (s *Source) ClientChanged(clientID string) { s.report(kindClient, clientID) }

// AllChanged reports that any token may have ended.
func (s *Source) AllChanged() { s.report(kindAll, "") }

func (s *Source) report(kind, id string) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.add(kind, id)
}

// add appends an event of the source to the log. The caller holds the lock.
func (s *Source) add(kind, id string) {
	e := newEntry(kind, id, s.hub.now())
	e.replayed = s.replayed
	s.hub.add(e)
}

// Lost reports that changes may have been missed. Until the next proof there are no heartbeats, and after it
// receivers get an event "all".
func (s *Source) Lost() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.lost, s.hub.hearing = true, false
}

// Proven reports that every change before the time until has been reported.
func (s *Source) Proven(until time.Time) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.lost {
		s.add(kindAll, "")
	}
	s.lost, s.proven = false, until
	oldest := until
	for _, other := range h.sources {
		if other.lost {
			return
		}
		if other.proven.Before(oldest) {
			oldest = other.proven
		}
	}
	h.hearing = true
	if now := h.now(); now.Sub(oldest) <= maxProofAge && now.Sub(h.beat) >= minInterval {
		h.beat = now
		h.add(newHeartbeat(now, now.Sub(h.began)))
	}
	h.wake() // some may wait for hearing to begin
}

// add appends an event to the log. The caller holds the lock.
func (h *Hub) add(e entry) {
	h.log[h.next%logLength] = e
	h.next++
	h.metrics.events.WithLabelValues(e.kind).Inc()
	h.wake()
}

// wake lets the receivers look again. The caller holds the lock.
func (h *Hub) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Hearing reports whether every change becomes an event at this time.
func (h *Hub) Hearing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hearing
}

// Close ends the streams of all receivers after the events that they have not read yet.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		h.wake()
	}
}

// Subscribe returns a receiver for the client with this id. It waits until the node hears of every change.
// It returns an error that wraps models.ErrUnavailable if ctx ends before that, if there are too many
// receivers, or after Close.
func (h *Hub) Subscribe(ctx context.Context, clientID string) (*Receiver, error) {
	for {
		r, changed, err := h.trySubscribe(clientID)
		if r != nil || err != nil {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errDeaf
		}
	}
}

// trySubscribe returns a receiver, or the channel to wait for.
func (h *Hub) trySubscribe(clientID string) (*Receiver, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, nil, errClosed
	case h.receivers >= maxReceivers:
		return nil, nil, errTooManyReceivers
	case !h.hearing:
		return nil, h.changed, nil
	}
	h.receivers++
	return &Receiver{hub: h, clientID: clientID, next: h.recent(), since: h.next}, nil, nil
}

// recent returns the number of the first event that a new receiver may need. The caller holds the lock.
func (h *Hub) recent() uint64 {
	first, since := h.next, h.now().Add(-behind)
	for first > 0 && first+logLength > h.next && h.log[(first-1)%logLength].at.After(since) {
		first--
	}
	if first > 0 && first+logLength == h.next {
		first-- // older events of this second are no longer in the log, so the receiver gets an event "all"
	}
	return first
}
