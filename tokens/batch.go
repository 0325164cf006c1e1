package tokens

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"chit/traces"
)

const (
	// maxBatch is the highest number of calls in one round trip.
	maxBatch = 256
	// maxWaiting is the highest number of calls that wait for the next round trip.
	maxWaiting = 10_000
)

var errTooMany = errors.New("too many requests wait for Redis")

// batcher lets concurrent requests share round trips to Redis. While a round trip is in flight, new calls
// wait. They are sent together in the next one. If no round trip is in flight, a call is sent at once and
// alone, so a single request does not wait.
//
// Most of the cost of a request is system calls, and batching shares them. bench/README.md has the
// measurements.
type batcher struct {
	client  redis.UniversalClient
	timeout time.Duration // of a round trip
	apart   bool          // batching is off: every call makes its own round trip
	onSend  func(calls int)
	tracer  trace.Tracer

	replicas int // replicas that must acknowledge what is sent

	trims    trims
	mu       sync.Mutex // guards the fields below
	underWay bool
	waiting  []*call
}

// call is what one request wants from Redis: the value of a key, or some commands. With commands there may
// be an entry for a client's index, which is written before them.
type call struct {
	key   string
	value string // the value of key if err is nil; err is redis.Nil if there is no such key

	commands []redis.Cmder
	entry    indexEntry
	entered  []redis.Cmder // the commands that write the entry

	span  trace.Span // of the request, if it is traced
	err   error
	done  chan struct{}
	since time.Time // when it began to wait
}

// split divides a call about two keys into two calls: the entry and the commands, or the first command and
// the rest.
func (c *call) split() (first, second *call) {
	if c.entry.clientID != "" {
		return &call{entry: c.entry}, &call{commands: c.commands}
	}
	return &call{commands: c.commands[:1]}, &call{commands: c.commands[1:]}
}

// do sends a call and waits for its replies. It returns the first error among them. If the outcome is
// unknown, it returns the reason.
func (b *batcher) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.tracer != nil {
		c.span = traces.Recorded(ctx)
	}
	if b.apart {
		b.send(ctx, []*call{c})
		return c.err
	}
	b.mu.Lock()
	switch {
	case !b.underWay:
		b.underWay = true
		b.mu.Unlock()
		b.send(ctx, []*call{c})
		b.next()
		return c.err
	case len(b.waiting) >= maxWaiting:
		b.mu.Unlock()
		return errTooMany
	}
	c.done, c.since = make(chan struct{}), time.Now()
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next sends the calls that came in meanwhile from another goroutine, so that the caller can return.
func (b *batcher) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.underWay = false
		return
	}
	go b.drain()
}

// drain makes round trips until no call waits.
func (b *batcher) drain() {
	for {
		// Gosched lets goroutines that are about to call add to this batch. Without it batches are small,
		// and a request costs a tenth more CPU.
		runtime.Gosched()
		b.mu.Lock()
		if len(b.waiting) == 0 {
			b.underWay = false
			b.mu.Unlock()
			return
		}
		b.giveUp()
		calls := b.waiting[:min(maxBatch, len(b.waiting))]
		b.waiting = b.waiting[len(calls):]
		b.mu.Unlock()
		b.send(context.Background(), calls)
		for _, c := range calls {
			close(c.done)
		}
	}
}

// giveUp fails the calls that have waited for the timeout. When Redis hangs, more calls wait than the next
// round trip carries.
func (b *batcher) giveUp() {
	for now := time.Now(); len(b.waiting) > 0 && now.Sub(b.waiting[0].since) >= b.timeout; b.waiting = b.waiting[1:] {
		b.waiting[0].err = context.DeadlineExceeded
		close(b.waiting[0].done)
	}
}

// send makes one round trip. It does not use the context of a request, because a request that is cancelled
// must not cancel the others. A call that is sent alone passes its context as until, and only its deadline
// counts.
func (b *batcher) send(until context.Context, calls []*call) {
	ctx, cancel := b.bounded(until)
	defer cancel()
	if b.onSend != nil {
		b.onSend(len(calls))
	}
	if b.tracer != nil {
		traced, end := b.trace(ctx, calls)
		defer end()
		ctx = traced
	}
	defer func() {
		if fault := recover(); fault != nil {
			failAll(calls, fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
		}
	}()
	if len(calls) == 1 && calls[0].key != "" {
		reply := b.client.Get(ctx, calls[0].key)
		calls[0].value, calls[0].err = reply.Val(), failure(reply, nil)
		return
	}
	b.pipeline(ctx, calls)
}

func (b *batcher) bounded(until context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(b.timeout)
	if own, found := until.Deadline(); found && own.Before(deadline) {
		deadline = own
	}
	return context.WithDeadline(context.Background(), deadline)
}

// failAll fails every call, because the outcome of each is unknown.
func failAll(calls []*call, err error) {
	for _, c := range calls {
		c.value, c.err = "", err
	}
}

func (b *batcher) pipeline(ctx context.Context, calls []*call) {
	p := b.client.Pipeline()
	receive := b.get(ctx, p, calls)
	b.enter(ctx, p, calls)
	for _, c := range calls {
		for _, command := range c.commands {
			_ = p.Process(ctx, command) // only queues it; the error is in the command
		}
	}
	confirm := b.await(ctx, p)
	_, whole := p.Exec(ctx)
	receive(whole)
	for _, c := range calls {
		if c.err == nil {
			c.err = confirm(whole)
		}
		for _, commands := range [...][]redis.Cmder{c.entered, c.commands} {
			for _, command := range commands {
				if c.err == nil {
					c.err = failure(command, whole)
				}
			}
		}
	}
}

// get queues the commands that read the keys of the calls. It uses one MGET for all keys, except in a
// Cluster, where the keys may be on several nodes. receive gives each call its reply.
func (b *batcher) get(ctx context.Context, p redis.Pipeliner, calls []*call) (receive func(whole error)) {
	asking := make([]*call, 0, len(calls))
	keys := make([]string, 0, len(calls))
	for _, c := range calls {
		if c.key != "" {
			asking, keys = append(asking, c), append(keys, c.key)
		}
	}
	if _, cluster := b.client.(*redis.ClusterClient); cluster || len(keys) < 2 {
		replies := make([]*redis.StringCmd, len(keys))
		for i, key := range keys {
			replies[i] = p.Get(ctx, key)
		}
		return func(whole error) {
			for i, c := range asking {
				c.value, c.err = replies[i].Val(), failure(replies[i], whole)
			}
		}
	}
	reply := p.MGet(ctx, keys...)
	return func(whole error) {
		for i, c := range asking {
			c.value, c.err = valueOf(reply, i, len(keys), whole)
		}
	}
}
