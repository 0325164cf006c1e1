package invalidations

import (
	"context"
	"io"
	"time"
)

// maxBatch is the maximum number of events that Next returns at once.
const maxBatch = 256

// Receiver reads the events of a Hub. It must not be used concurrently.
type Receiver struct {
	hub      *Hub
	clientID string
	next     uint64 // number of the next event to read
	greeted  bool   // the event "ready" was read
	since    uint64 // number of the first event after the receiver connected
}

// Batch is what Next returns.
type Batch struct {
	Text []byte // events in the format text/event-stream; valid until the next call of Next
	// Concerned reports whether the receiver's own client may have changed.
	Concerned bool
	Oldest    time.Time // when the oldest event was heard; zero if there are only heartbeats
}

// Next waits for events and appends them to text[:0]. The first event is "ready". Next returns io.EOF after
// the last event of a closed Hub, and the error of ctx when ctx ends.
func (r *Receiver) Next(ctx context.Context, text []byte) (Batch, error) {
	b := Batch{Text: text[:0]}
	for {
		changed, closed := r.read(&b)
		switch {
		case len(b.Text) > 0:
			return b, nil
		case closed:
			return b, io.EOF
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
}

// read appends the events that are there to the batch. It returns the channel to wait for the next ones.
func (r *Receiver) read(b *Batch) (changed <-chan struct{}, closed bool) {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if !r.greeted {
		r.greeted = true
		b.Text = append(b.Text, readyText...)
	}
	if r.next+logLength < h.next {
		r.next = h.next
		b.add(newEntry(kindAll, "", h.now()), r.clientID)
		h.metrics.overtaken.Inc()
	}
	for n := 0; r.next < h.next && n < maxBatch; r.next++ {
		e := h.log[r.next%logLength]
		if r.next >= r.since || e.replayed {
			b.add(e, r.clientID)
			n++
		}
	}
	return h.changed, h.closed && r.next == h.next
}

// add appends an event. A change of the receiver's own client may change which tokens it may see, so it must
// forget all.
func (b *Batch) add(e entry, own string) {
	b.Text = append(b.Text, e.text...)
	if e.kind == kindHeartbeat {
		return
	}
	if b.Oldest.IsZero() {
		b.Oldest = e.at
	}
	switch {
	case e.kind == kindAll:
		b.Concerned = true
	case e.kind == kindClient && e.id == own:
		b.Concerned = true
		b.Text = append(b.Text, newEntry(kindAll, "", e.at).text...)
	}
}

// Sent records that a batch was sent, for the metrics.
func (r *Receiver) Sent(b Batch) {
	if !b.Oldest.IsZero() {
		r.hub.metrics.lag.Observe(r.hub.now().Sub(b.Oldest).Seconds())
	}
}

// Close gives up the receiver's place. It must be called once.
func (r *Receiver) Close() {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	r.hub.receivers--
}
