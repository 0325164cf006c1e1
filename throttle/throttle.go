// Package throttle counts failed authentications, so that secrets cannot be guessed: those of one
// client id from one address, and all from one address. The counts are in Redis, where all nodes
// add to them. Authentications that succeed are not counted and cost no command.
package throttle

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// window is how long failures are counted together, from the first of them on.
	window = time.Minute
	// checkInterval is how often a node that refuses attempts asks whether it still should, so
	// that a key deleted in Redis is in force everywhere after this time.
	checkInterval = time.Second
	// pause is for how long a node counts by itself after Redis has failed to answer.
	pause = time.Second
	// maxRoundTrips is how many round trips are under way at once: those who fail leave the other
	// connections to those who do not.
	maxRoundTrips = 4
)

// Failures counts failed authentications. One address, or one client id at one address, that has
// failed as often as its limit allows is blocked until its window ends, also for the right secret:
// else guessing could go on.
//
// A node learns of a block when an authentication fails on it, and remembers it, so that what is
// refused costs neither Redis nor the database anything. While Redis does not answer, each node
// counts by itself. No method ever fails.
type Failures struct {
	Redis      redis.UniversalClient
	PerClient  int              // failures a minute of one client id from one address; 0: no limit
	PerAddress int              // failures a minute from one address, or one /64 of IPv6; 0: no limit
	Now        func() time.Time // Redis measures windows by its own clock
	Timeout    time.Duration    // of a round trip; 0 is a second

	memory memory
	paused atomic.Int64 // until when Redis is not asked, in Unix nanoseconds

	once       sync.Once
	roundTrips chan struct{} // has an element for each that is under way
}

// limit is how often a subject may fail.
type limit struct {
	subject
	most int
}

func (f *Failures) limits(address, clientID string) []limit {
	limits := make([]limit, 0, 2)
	where := network(address)
	if f.PerClient > 0 {
		limits = append(limits, limit{of(where, clientID), f.PerClient})
	}
	if f.PerAddress > 0 {
		limits = append(limits, limit{subject{network: where}, f.PerAddress})
	}
	return limits
}

// Wait returns how long the client has to wait before an attempt of it from the address is looked
// at, or told whether it was right. 0 means that it may go ahead, at the cost of two comparisons while
// nobody is blocked or fails. Failures that are being counted at this moment count already: of any
// number of guesses at once, no more are answered than the limit allows.
func (f *Failures) Wait(ctx context.Context, address, clientID string) time.Duration {
	if !f.memory.anyBlocked(f.Now) {
		return 0
	}
	now := f.Now()
	var wait time.Duration
	for _, l := range f.limits(address, clientID) {
		left, check := f.memory.blocked(l, now)
		if check && f.lifted(ctx, l, now) {
			f.memory.forget(l.subject)
			continue
		}
		wait = max(wait, left)
	}
	return wait
}

// Count counts a failed attempt. It returns how long the client has to wait if it was one too many,
// else 0.
func (f *Failures) Count(ctx context.Context, address, clientID string) time.Duration {
	limits := f.limits(address, clientID)
	if len(limits) == 0 {
		return 0
	}
	now := f.Now()
	if wait := f.memory.begin(limits, now); wait > 0 {
		return wait
	}
	defer f.memory.end(limits)
	tallies, shared := f.countTogether(ctx, limits, now)
	if !shared {
		tallies = f.memory.count(limits, now)
	}
	var wait time.Duration
	for i, t := range tallies {
		if shared {
			f.memory.learn(limits[i].subject, t, now)
		}
		if t.failures >= limits[i].most {
			f.memory.block(limits[i].subject, now, t.left, shared)
		}
		if t.failures > limits[i].most {
			wait = max(wait, t.left)
		}
	}
	return wait
}

// tally is how often a subject has failed in its window, and what is left of the window.
type tally struct {
	failures int
	left     time.Duration
}

// countTogether counts a failure in Redis. shared is false if Redis did not answer.
func (f *Failures) countTogether(request context.Context, limits []limit, now time.Time) (_ []tally, shared bool) {
	if f.isPaused(now) {
		return nil, false
	}
	ctx, finish, err := f.roundTrip(request)
	defer finish()
	if err != nil {
		return nil, false
	}
	failures := make([]*redis.IntCmd, len(limits))
	left := make([]*redis.DurationCmd, len(limits))
	// A transaction, so that whatever happens no key is left that does not expire. Its keys are in
	// one slot of a Cluster.
	_, err = f.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range limits {
			failures[i] = p.Incr(ctx, l.key())
			p.ExpireNX(ctx, l.key(), window)
			left[i] = p.PTTL(ctx, l.key())
		}
		return nil
	})
	if err != nil {
		f.pause(request, now)
		return nil, false
	}
	tallies := make([]tally, len(limits))
	for i := range limits {
		tallies[i] = tally{int(failures[i].Val()), left[i].Val()}
		// Without a reply of its own a command looks as if it had counted to 0.
		if tallies[i].failures < 1 || tallies[i].left <= 0 {
			f.pause(request, now)
			return nil, false
		}
	}
	return tallies, true
}

// lifted reports whether Redis counts fewer failures of a blocked subject than its limit: its key
// was deleted, or its window has ended.
func (f *Failures) lifted(request context.Context, l limit, now time.Time) bool {
	if f.isPaused(now) {
		return false
	}
	ctx, finish, err := f.roundTrip(request)
	defer finish()
	if err != nil {
		return false
	}
	failures, err := f.Redis.Get(ctx, l.key()).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		f.pause(request, now)
		return false
	}
	return failures < l.most
}

// roundTrip waits until a round trip may begin, and bounds it. It is not the client's to end: one that
// hangs up has failed too. Only the deadline of ctx counts. finish must be called in any case.
func (f *Failures) roundTrip(ctx context.Context) (_ context.Context, finish func(), err error) {
	f.once.Do(func() { f.roundTrips = make(chan struct{}, maxRoundTrips) })
	ends := time.Now().Add(cmp.Or(f.Timeout, time.Second))
	if deadline, found := ctx.Deadline(); found && deadline.Before(ends) {
		ends = deadline
	}
	bounded, cancel := context.WithDeadline(context.WithoutCancel(ctx), ends)
	select {
	case f.roundTrips <- struct{}{}:
		return bounded, func() { <-f.roundTrips; cancel() }, nil
	case <-bounded.Done():
		return bounded, cancel, bounded.Err()
	}
}

// pause notes that Redis has failed, unless it is the request that had no time left for it.
func (f *Failures) pause(request context.Context, now time.Time) {
	if request.Err() == nil {
		f.paused.Store(now.Add(pause).UnixNano())
	}
}

func (f *Failures) isPaused(now time.Time) bool { return now.UnixNano() < f.paused.Load() }
