//go:build faults

package faults_test

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

const (
	// worst is the longest time after a revocation at which a guard may still let the token in, in any fault.
	worst = 1200 * time.Millisecond
	// ordinary is the limit for 99 of 100 revocations while nothing is broken.
	ordinary = 100 * time.Millisecond
)

// TestGuardsUnderFaults checks tokens a million times while they are revoked in every way, and while
// connections, nodes and Redis fail. It counts acceptances that are too late and refusals that are wrong.
func TestGuardsUnderFaults(t *testing.T) {
	r := startGuarded(t)
	r.calm()
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"the listening connections to PostgreSQL are killed", func() {
			apptest.Psql(t, r.databaseURL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%heartbeat%' AND pid <> pg_backend_pid()")
		}, nil},
		{"the listening connections to Redis are killed", func() { r.redis.CLI("CLIENT", "KILL", "TYPE", "pubsub") }, nil},
		{"Redis is frozen", r.redis.Pause, r.redis.Resume},
		{"a node is killed", r.nodes[0].kill, r.nodes[0].start},
		{"a node is frozen", func() { r.signal(0, syscall.SIGSTOP) }, func() { r.signal(0, syscall.SIGCONT) }},
		{"a node is cut off from PostgreSQL", func() { r.cutOff.Store(true); r.proxy.CutAll() }, func() { r.cutOff.Store(false) }},
		{"a node is restarted", r.nodes[1].terminate, r.nodes[1].start},
		{"keyspace events are turned off", func() { r.redis.CLI("CONFIG", "SET", "notify-keyspace-events", "") }, nil},
		{"Redis is killed and comes back empty", r.loseAll, r.redis.Start},
	} {
		r.during(fault.name, fault.begin, fault.end)
	}
	r.stop()
	if checks := r.checks.Load(); checks < 1_000_000 {
		t.Errorf("only %d checks", checks)
	}
	t.Logf("%d checks, %d introspections, %d revocations, %d checks were not possible", r.checks.Load(), r.introspections(), r.revocations.Load(), r.impossible.Load())
}

// calm revokes without a fault, and compares the time to the last acceptance with the limit.
func (r *guarded) calm() {
	r.t.Helper()
	time.Sleep(2 * time.Second)
	r.collect()
	time.Sleep(8 * outage / 2)
	late := r.collect()
	slices.Sort(late)
	if len(late) < 100 {
		r.t.Fatalf("only %d revocations", len(late))
	}
	p50, p99, most := late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
	r.t.Logf("no fault: %d revocations; last acceptance after p50 %v, p99 %v, at most %v", len(late), p50, p99, most)
	if p99 > ordinary {
		r.t.Errorf("p99 is %v, more than %v", p99, ordinary)
	}
	r.judge("no fault", late)
}

// during revokes while something is broken and afterwards.
func (r *guarded) during(name string, begin, end func()) {
	r.t.Helper()
	r.collect()
	begin()
	time.Sleep(outage)
	if end != nil {
		end()
	}
	time.Sleep(2 * time.Second)
	late := r.collect()
	if len(late) == 0 {
		r.t.Errorf("%s: nothing was revoked", name)
		return
	}
	r.t.Logf("%s: %d revocations; last acceptance after at most %v", name, len(late), slices.Max(late))
	r.judge(name, late)
}

// judge fails the test for each acceptance after the limit, and for each wrong refusal.
func (r *guarded) judge(name string, late []time.Duration) {
	r.t.Helper()
	tooLate := 0
	for _, after := range late {
		if after > worst {
			tooLate++
		}
	}
	if tooLate > 0 {
		r.t.Errorf("%s: %d of %d revoked tokens were let in for more than %v", name, tooLate, len(late), worst)
	}
	if wrong := r.wrong.Swap(0); wrong > 0 {
		r.t.Errorf("%s: %d active tokens were refused as inactive", name, wrong)
	}
}

func (r *guarded) signal(node int, signal syscall.Signal) {
	if err := r.nodes[node].cmd.Process.Signal(signal); err != nil {
		r.t.Error(err)
	}
}

// live is a token that the guards check.
type live struct {
	token, id, client string
	issued            time.Time
	ending, ended     atomic.Int64 // when its end was asked for and acknowledged, in nanoseconds; 0: not yet
	accepted          atomic.Int64 // when the last check began that let it in after its end
}

// end runs a revocation of tokens. They have ended if it returns no error.
func (r *guarded) end(tokens []*live, revoke func() error) {
	now := time.Now().UnixNano()
	for _, l := range tokens {
		l.ending.CompareAndSwap(0, now)
	}
	err := revoke()
	acknowledged := time.Now().UnixNano()
	for _, l := range tokens {
		if err == nil {
			l.ended.CompareAndSwap(0, acknowledged)
			r.revocations.Add(1)
		}
	}
}

// check lets a guard check a random token, and records what is wrong with the outcome.
func (r *guarded) check(g int) {
	l := r.pick()
	if l == nil {
		return
	}
	began := time.Now().UnixNano()
	_, err := r.guards[g].Check(r.t.Context(), l.token)
	r.checks.Add(1)
	switch {
	case err == nil:
		if ended := l.ended.Load(); ended != 0 && began > ended {
			for {
				before := l.accepted.Load()
				if before >= began || l.accepted.CompareAndSwap(before, began) {
					break
				}
			}
		}
	case isInactive(err):
		if l.ending.Load() == 0 {
			r.wrong.Add(1)
		}
	default:
		r.impossible.Add(1)
	}
}

// collect returns how long after its end each token was last let in, for tokens that have ended since the
// last call, and removes them.
func (r *guarded) collect() (late []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = slices.DeleteFunc(r.tokens, func(l *live) bool {
		ended := l.ended.Load()
		// The last ones may still be let in: they are counted by the next call.
		if ended == 0 || time.Since(time.Unix(0, ended)) < 2*worst {
			return false
		}
		late = append(late, max(0, time.Duration(l.accepted.Load()-ended)))
		return true
	})
	return late
}

// loseAll kills Redis, which persists nothing. All tokens have ended then.
func (r *guarded) loseAll() {
	r.issuing.Lock()
	defer r.issuing.Unlock()
	r.end(r.those(func(*live) bool { return true }), func() error {
		r.redis.Kill()
		return nil
	})
}

// pick returns a random token, or nil.
func (r *guarded) pick() *live {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.tokens) == 0 {
		return nil
	}
	return r.tokens[rand.IntN(len(r.tokens))]
}
