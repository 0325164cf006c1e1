//go:build faults

package faults_test

import (
	"slices"
	"testing"
	"time"

	"chit/app/apptest"
)

const (
	// requestTimeout is the timeout of the servers. slack is what a busy machine adds to it.
	requestTimeout = 2 * time.Second
	slack          = 500 * time.Millisecond
	// backWithin is how soon after a fault everything must be as before.
	backWithin = 2 * time.Second
)

// stack is the set of servers that a fault happens to.
type stack struct {
	t        testing.TB
	postgres *apptest.PostgreSQL // only for this stack; nil if the fault does not need it
	second   *apptest.PostgreSQL // the second host of the URL
	redis    *apptest.Redis
	sentinel *apptest.RedisSentinel
	cluster  *apptest.RedisCluster
	replicas []*apptest.Redis // of the cluster
	database string           // URL of one host
	nodes    []*chit
}

// fault is something that breaks, with what users may notice and what may be lost.
type fault struct {
	name     string
	stack    func(testing.TB) *stack
	begin    func(*stack)
	end      func(*stack) // nil: it ends by itself
	may      []string     // answers that users may see besides 200
	balanced bool         // users connect through a load balancer that asks /readyz
	loses    bool         // acknowledged tokens may be lost
	revive   bool         // acknowledged revocations may be lost
	after    func(*stack)
}

// TestFaults runs the load through every fault.
func TestFaults(t *testing.T) {
	faults := slices.Concat(processFaults, redisFaults, postgresFaults, sentinelFaults, clusterFaults)
	rows := make([]result, len(faults))
	t.Cleanup(func() { writeTable(t, rows) })
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			rows[i] = f.run(t)
			t.Log(rows[i])
		})
	}
}

func (f fault) run(t *testing.T) result {
	s := f.stack(t)
	var urls []string
	for _, node := range s.nodes {
		urls = append(urls, node.URL)
	}
	l := startLoad(t, f.balanced, urls...)
	before := time.Now().Add(300 * time.Millisecond)
	time.Sleep(1300 * time.Millisecond) // the load without a fault
	broken := time.Now()
	usual := l.history.rate(before, broken)
	f.begin(s)
	if f.end != nil {
		time.Sleep(outage)
		f.end(s)
	}
	mended := time.Now()
	var back time.Duration
	eventually(t, backWithin+20*time.Second, "full speed", func() (ok bool) {
		back, ok = l.history.fullSpeed(mended, usual)
		return ok
	})
	l.stop()
	r := l.result(f.name, mended.Sub(broken), back)
	lost, revived := l.verify(t)
	r.lost, r.revived = max(r.lost, lost), max(r.revived, revived)
	f.check(t, r, l)
	if f.after != nil {
		f.after(s)
	}
	return r
}

func (f fault) check(t *testing.T, r result, l *load) {
	t.Helper()
	for answer, n := range r.answers {
		if answer != "200" && !slices.Contains(f.may, answer) {
			t.Errorf("%d times: %s", n, answer)
		}
	}
	for _, wrong := range l.wrong {
		t.Errorf("an answer that must not be: %s", wrong)
	}
	if limit := requestTimeout + slack; r.longest > limit {
		t.Errorf("an answer took %v, more than %v", r.longest, limit)
	}
	if r.back > backWithin {
		t.Errorf("full speed after %v, more than %v", r.back, backWithin)
	}
	if r.lost > 0 && !f.loses {
		t.Errorf("%d tokens that were acknowledged are not active", r.lost)
	}
	if r.revived > 0 && !f.revive {
		t.Errorf("%d tokens whose revocation was acknowledged are active", r.revived)
	}
	if r.answers["200"] == 0 {
		t.Error("nothing was answered")
	}
}
