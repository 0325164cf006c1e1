package tokens

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// batchTimeout bounds one round trip, whose requests have deadlines of their own.
	batchTimeout = 2 * time.Second
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
// System calls are most of what a request costs. Sharing them made the server half as fast again at
// 64 connections: see bench/README.md.
type batcher struct {
	client redis.UniversalClient

	mu       sync.Mutex
	underWay bool
	waiting  []*call
}

// call is what one request wants of Redis: some commands, and maybe an entry in a client's index,
// which goes ahead of them.
type call struct {
	commands []redis.Cmder
	entry    indexEntry
	entered  *redis.Cmd // the command that wrote the entry
	done     chan struct{}
}

// do sends a call and waits for its replies. The error says that it was not sent, or that nobody
// knows what became of it; what Redis replied is in the commands.
func (b *batcher) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	switch {
	case !b.underWay:
		b.underWay = true
		b.mu.Unlock()
		b.send(ctx, []*call{c})
		b.next()
		return c.err()
	case len(b.waiting) >= maxWaiting:
		b.mu.Unlock()
		return errTooMany
	}
	c.done = make(chan struct{})
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()
	select {
	case <-c.done:
		return c.err()
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
		b.mu.Lock()
		if len(b.waiting) == 0 {
			b.underWay = false
			b.mu.Unlock()
			return
		}
		calls := b.waiting[:min(maxBatch, len(b.waiting))]
		b.waiting = b.waiting[len(calls):]
		b.mu.Unlock()

		ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
		b.send(ctx, calls)
		cancel()
		for _, c := range calls {
			close(c.done)
		}
	}
}

// send makes one round trip.
func (b *batcher) send(ctx context.Context, calls []*call) {
	p := b.client.Pipeline()
	enter(ctx, p, calls)
	for _, c := range calls {
		for _, command := range c.commands {
			_ = p.Process(ctx, command) // only queues it
		}
	}
	_, _ = p.Exec(ctx) // each command has its own error
}

// err returns the first error of the replies.
func (c *call) err() error {
	if c.entered != nil && c.entered.Err() != nil {
		return c.entered.Err()
	}
	for _, command := range c.commands {
		if err := command.Err(); err != nil {
			return err
		}
	}
	return nil
}
