package guard

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// askTimeout is the timeout of a request to one node. It also limits how old an answer is when it
	// arrives.
	askTimeout = time.Second
	// maxTries is the maximum number of nodes that are asked.
	maxTries = 3
	// settleTimeout is how long the first requests wait for the stream. An answer that was asked for before
	// the stream is open cannot be kept.
	settleTimeout = time.Second
	// inactiveTime is how long an inactive answer is kept. A client may be registered again without an
	// event.
	inactiveTime = time.Minute
)

// flight is an introspection in progress. Any number of requests may wait for it.
type flight struct {
	done   chan struct{} // closed when answer and err are set
	answer *answer
	err    error
}

// ask introspects a token for a request that began at the elapsed time since.
func (g *Guard) ask(ctx context.Context, d digest, bearer string, since int64) (*answer, error) {
	if err := g.awaitStream(ctx); err != nil {
		return nil, err
	}
	for {
		f := g.join(d, bearer)
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, unavailable("introspect", ctx.Err())
		}
		switch {
		case f.err != nil:
			return nil, f.err
		case f.answer.asked < since && g.marks.latest(f.answer) >= f.answer.asked:
			// The token was touched after the guard had asked, perhaps before this request began.
			continue
		}
		return f.answer.outcome()
	}
}

// awaitStream waits until the first attempt to open the stream is over, or for a second. It returns an error
// if the server refuses to tell this client about tokens.
func (g *Guard) awaitStream(ctx context.Context) error {
	select {
	case <-g.settled:
	default:
		timer := time.NewTimer(settleTimeout)
		defer timer.Stop()
		select {
		case <-g.settled:
		case <-timer.C:
		case <-ctx.Done():
			return unavailable("wait for the stream", ctx.Err())
		}
	}
	if refusal := g.refusal.Load(); refusal != nil {
		return *refusal
	}
	return nil
}

// join returns the introspection in flight for a token, or a new one. If one has ended since the token was looked up, its
// answer is in memory, and there is no need for another one.
func (g *Guard) join(d digest, bearer string) *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flights[d]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	elapsed, calendar := g.clock()
	if f.answer = g.recall(&d, elapsed, calendar); f.answer != nil {
		close(f.done)
		return f
	}
	g.flights[d] = f
	go g.fly(f, d, bearer)
	return f
}

// fly introspects a token and keeps the answer. If a node does not answer, or says that it does not hear of
// changes itself, fly asks the next one. It does not use the context of a request, because a request
// that is cancelled must not fail the others.
func (g *Guard) fly(f *flight, d digest, bearer string) {
	defer func() {
		if fault := recover(); fault != nil {
			f.answer, f.err = nil, unavailable("introspect", fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
		}
		g.mu.Lock()
		delete(g.flights, d)
		g.mu.Unlock()
		close(f.done)
	}()
	for range min(len(g.nodes), maxTries) {
		first := g.preferred.Load()
		a, err := g.introspect(g.nodes[first], d, bearer)
		if err == nil || f.answer == nil {
			f.answer, f.err = a, err
		}
		if err == nil && !a.stale {
			g.keep(d, a)
			return
		}
		if err != nil {
			g.failures.Add(1)
		}
		g.preferred.CompareAndSwap(first, (first+1)%int32(len(g.nodes)))
	}
}

// keep stores an answer, unless it may be void.
func (g *Guard) keep(d digest, a *answer) {
	elapsed, calendar := g.clock()
	holds := func(a *answer) bool { return g.usable(a, elapsed, calendar) }
	if !g.hears(elapsed, calendar) || !holds(a) {
		return
	}
	if a.active {
		g.active.put(d, a, holds)
	} else {
		g.inactive.put(d, a, holds)
	}
}
