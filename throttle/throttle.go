// Package throttle counts failed authentications, to stop attempts to guess secrets. It counts them for
// each client id at each address, and for each address. The counts are in Redis and shared by all nodes.
// Successful authentications are not counted and need no command.
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
	// window is how long failures are counted together. It begins with the first failure.
	window = time.Minute
	// checkInterval is how often a node that blocks a subject asks Redis whether the block still exists. So
	// a deleted key is in force on every node after this time.
	checkInterval = time.Second
	// pause is how long a node counts by itself after Redis has failed.
	pause = time.Second
	// maxRoundTrips is the maximum number of round trips in flight. It leaves connections free for requests
	// that do not fail.
	maxRoundTrips = 4
)

// Failures counts failed authentications. When an address, or a client id at an address, reaches its limit,
// it is blocked until its window ends. A block also applies to the right secret, because guessing could go
// on otherwise.
//
// A node learns of a block when an authentication fails on it, and remembers it. So a blocked request needs
// neither Redis nor the database. While Redis does not answer, each node counts by itself. No method
// returns an error.
type Failures struct {
	Redis      redis.UniversalClient
	PerClient  int              // failures a minute for one client id at one address; 0: no limit
	PerAddress int              // failures a minute for one address, or one /64 of IPv6; 0: no limit
	Now        func() time.Time // windows in Redis use the clock of Redis
	Timeout    time.Duration    // timeout of a round trip; 0 means one second

	memory memory
	paused atomic.Int64 // no commands to Redis until this time, in Unix nanoseconds

	once       sync.Once
	roundTrips chan struct{} // holds one element for each round trip in flight
}

// limit is how many failures a subject may have.
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

// Wait returns how long the client must wait before its attempt is processed or answered. 0 means that it
// may go on. While nobody is blocked or fails, that costs two comparisons. Failures that are being counted
// are included. So no more guesses are answered than the limit allows, even if they arrive at the same
// time.
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

// Count counts a failed attempt. It returns how long the client must wait if the limit is exceeded, and 0
// otherwise.
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

// tally is the number of failures of a subject in its window, and the rest of the window.
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
	// A transaction makes sure that no key is left without an expiry. Its keys are in one slot of a
	// Cluster.
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
		// A command without a reply looks as if it had returned 0.
		if tallies[i].failures < 1 || tallies[i].left <= 0 {
			f.pause(request, now)
			return nil, false
		}
	}
	return tallies, true
}

// lifted reports whether Redis counts fewer failures of a blocked subject than the limit. Then its key was
// deleted, or its window has ended.
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

// roundTrip waits until a round trip may begin, and limits its duration. It uses the deadline of ctx but
// not its cancellation, because a failure also counts if the client hangs up. The caller must call finish
// in any case.
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

// pause records that Redis has failed, unless the request itself has run out of time.
func (f *Failures) pause(request context.Context, now time.Time) {
	if request.Err() == nil {
		f.paused.Store(now.Add(pause).UnixNano())
	}
}

func (f *Failures) isPaused(now time.Time) bool { return now.UnixNano() < f.paused.Load() }
