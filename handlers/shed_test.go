package handlers

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A request may wait for long in a burst after a calm period, briefly once a queue lasts, and for long
// again only after another calm period.
func TestPatience(t *testing.T) {
	g := NewGates(8, time.Second, prometheus.NewRegistry()).Known
	now := time.Now()
	for i, step := range []struct {
		pass    time.Duration
		waiting int // requests that wait already
		want    time.Duration
	}{
		{0, 0, time.Second},
		{100 * time.Millisecond, 50, time.Second},
		{300 * time.Millisecond, 0, time.Second},
		{200 * time.Millisecond, 20, crowdedPatience},
		{500 * time.Millisecond, 0, crowdedPatience},
		{900 * time.Millisecond, 0, crowdedPatience},
		{calm, 3, crowdedPatience},
		{calm, 0, time.Second},
		{burst, 1, crowdedPatience},
	} {
		now = now.Add(step.pass)
		g.waiting = step.waiting
		if got := g.mayWait(now); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// A thousand requests that arrive at once all get a place. There are never more in progress than the limit,
// and in the end all places are free.
func TestBurstIsServedWhole(t *testing.T) {
	g := NewGates(8, time.Minute, prometheus.NewRegistry()).Known
	var inside, most, refused atomic.Int64
	var wait sync.WaitGroup
	for range 1000 {
		wait.Go(func() {
			if g.enter(t.Context()) != nil {
				refused.Add(1)
				return
			}
			defer g.leave()
			most.Store(max(most.Load(), inside.Add(1)))
			defer inside.Add(-1)
			time.Sleep(100 * time.Microsecond)
		})
	}
	wait.Wait()
	if refused.Load() > 0 || most.Load() > 8 || g.inFlight != 0 || g.waiting != 0 || len(g.queue) != 0 {
		t.Errorf("%d refused, %d at once, %d in flight, %d waiting, %d in the queue", refused.Load(), most.Load(), g.inFlight, g.waiting, len(g.queue))
	}
}

// Requests that are cancelled or have waited for too long leave no place taken.
func TestThoseWhoGiveUpLeaveNothingBehind(t *testing.T) {
	g := NewGates(4, time.Millisecond, prometheus.NewRegistry()).Known
	var wait sync.WaitGroup
	for range 2000 {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
			defer cancel()
			if g.enter(ctx) == nil {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
				g.leave()
			}
		})
	}
	wait.Wait()
	for range 4 {
		if err := g.enter(t.Context()); err != nil {
			t.Errorf("a free place is refused: %v", err)
		}
	}
	if g.waiting != 0 || g.inFlight != 4 {
		t.Errorf("%d in flight, %d waiting", g.inFlight, g.waiting)
	}
}
