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
)

const (
	// maxBatch is how many calls one round trip carries.
	maxBatch = 256
	// maxWaiting is how many calls may wait for the next round trip.
	maxWaiting = 10_000
)

var errTooMany = errors.New("too many requests wait for Redis")

// batcher sends what concurrent requests want of Redis together: while one round trip is under way
// the calls that come in wait, and make up the next. A call that finds none under way goes out by
// itself and at once, so a lone request pays nothing.
//
// System calls are most of what a request costs, and this shares them: see bench/README.md.
type batcher struct {
	client  redis.UniversalClient
	timeout time.Duration // of a round trip
	apart   bool          // every call makes a round trip of its own

	replicas int // that must have what is sent

	trims    trims
	mu       sync.Mutex // guards what follows
	underWay bool
	waiting  []*call
}

// call is what one request wants of Redis: the value of a key, or some commands, maybe with an entry
// in a client's index, which goes ahead of them.
type call struct {
	key   string
	value string // of key, when err is nil; err is redis.Nil if there is none

	commands []redis.Cmder
	entry    indexEntry
	entered  []redis.Cmder // the commands that wrote the entry

	err   error
	done  chan struct{}
	since time.Time // when it began to wait
}

// split returns a call about two keys as two: its entry and its commands, or its first command and the
// others.
func (c *call) split() (first, second *call) {
	if c.entry.clientID != "" {
		return &call{entry: c.entry}, &call{commands: c.commands}
	}
	return &call{commands: c.commands[:1]}, &call{commands: c.commands[1:]}
}

// do sends a call and waits for its replies. It returns the first error among them, or why nobody
// knows what became of the call.
func (b *batcher) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return err
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

// next sends on what came in meanwhile, so that whoever made the last round trip can go.
func (b *batcher) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.underWay = false
		return
	}
	go b.drain()
}

// drain makes round trips until nobody waits.
func (b *batcher) drain() {
	for {
		// Whoever is about to call goes first and shares the round trip: without this batches are
		// small, and a request costs a tenth more CPU in all.
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

// giveUp ends the calls that have waited for as long as a round trip may take: when Redis hangs, more
// wait than the next one carries.
func (b *batcher) giveUp() {
	for now := time.Now(); len(b.waiting) > 0 && now.Sub(b.waiting[0].since) >= b.timeout; b.waiting = b.waiting[1:] {
		b.waiting[0].err = context.DeadlineExceeded
		close(b.waiting[0].done)
	}
}

// send makes one round trip. It belongs to no request: one that goes away takes no other along. Only
// the deadline of until counts, which is that of a call that goes out by itself.
func (b *batcher) send(until context.Context, calls []*call) {
	ctx, cancel := b.bounded(until)
	defer cancel()
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

// failAll fails every call: of none is known what became of it.
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
			_ = p.Process(ctx, command) // only queues it
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

// get queues what asks for the keys of the calls: one command for all of them, except in a Cluster,
// where they may lie on several nodes. receive hands out the replies.
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
