package handlers

import (
	"context"
	"sync/atomic"
	"time"
)

// tickLength is how much later than asked for a context of deadlines may end.
const tickLength = 20 * time.Millisecond

// deadlines hands out contexts that end after a time, to requests. Those that begin within one tick share
// a timer, which costs a request a fifth of what a timer of its own does (BenchmarkDeadline). The zero
// value is ready.
type deadlines struct {
	current atomic.Pointer[tick]
}

// tick is what the contexts of a tick share.
type tick struct {
	context.Context
	cancel context.CancelFunc // never called: the timer ends it
	from   time.Time
}

// bounded is a context that ends with its tick, and has the values of its request. That the client goes
// away does not end it: what has been begun is finished, and its deadline is near.
type bounded struct {
	*tick
	request context.Context
}

// Value returns a value of the request. What package context looks for is found in the tick, where the
// context's end comes from.
func (b *bounded) Value(key any) any {
	if value := b.tick.Value(key); value != nil {
		return value
	}
	return b.request.Value(key)
}

// after returns a context for a request that ends after timeout.
func (d *deadlines) after(request context.Context, timeout time.Duration) context.Context {
	now := time.Now()
	t := d.current.Load()
	if t == nil || now.Sub(t.from) >= tickLength {
		t = &tick{from: now}
		t.Context, t.cancel = context.WithDeadline(context.Background(), now.Add(timeout+tickLength))
		d.current.Store(t) // of several at once any will do
	}
	return &bounded{t, request}
}
