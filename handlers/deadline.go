package handlers

import (
	"context"
	"sync/atomic"
	"time"
)

// tickLength is how much later than requested a context of deadlines may end.
const tickLength = 20 * time.Millisecond

// deadlines makes contexts with a timeout for requests. Requests that begin within one tick share a timer.
// That costs a fifth of a timer for each request (BenchmarkDeadline). The zero value is ready to use.
type deadlines struct {
	current atomic.Pointer[tick]
}

// tick is the context that the requests of one tick share.
type tick struct {
	context.Context
	cancel context.CancelFunc // never called: the deadline ends the context
	from   time.Time
}

// bounded is a context with the deadline of its tick and the values of its request. It is not cancelled if
// the client goes away: work that has begun is finished, and the deadline is near.
type bounded struct {
	*tick
	request context.Context
}

// Value returns a value of the request. It asks the tick first, because package context looks there for the
// cancellation.
func (b *bounded) Value(key any) any {
	if value := b.tick.Value(key); value != nil {
		return value
	}
	return b.request.Value(key)
}

// after returns a context for a request that ends after the timeout.
func (d *deadlines) after(request context.Context, timeout time.Duration) context.Context {
	now := time.Now()
	t := d.current.Load()
	if t == nil || now.Sub(t.from) >= tickLength {
		t = &tick{from: now}
		t.Context, t.cancel = context.WithDeadline(context.Background(), now.Add(timeout+tickLength))
		d.current.Store(t) // if several store at the same time, any tick is fine
	}
	return &bounded{t, request}
}
