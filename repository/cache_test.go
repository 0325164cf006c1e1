package repository

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/models"
)

// fake is a database in memory that can be slow or down.
type fake struct {
	mu      sync.Mutex
	clients map[string]string // names by id
	err     error
	hold    chan struct{} // if not nil, a query returns what it read before only when this is closed
	pause   time.Duration // duration of a query
	queries atomic.Int64
	asked   atomic.Int64 // number of ids

	unreadable map[string]bool
	atOnce     atomic.Int64
	most       atomic.Int64
}

func (f *fake) FindMany(ctx context.Context, ids []string) (map[string]*models.Client, error) {
	f.queries.Add(1)
	f.asked.Add(int64(len(ids)))
	f.most.Store(max(f.most.Load(), f.atOnce.Add(1)))
	defer f.atOnce.Add(-1)
	found := map[string]*models.Client{}
	f.mu.Lock()
	err, hold, pause := f.err, f.hold, f.pause
	for _, id := range ids {
		if f.unreadable[id] {
			err = errors.New("cannot scan")
		}
		if name, exists := f.clients[id]; exists {
			found[id] = &models.Client{ClientID: id, ClientName: name}
		}
	}
	f.mu.Unlock()
	time.Sleep(pause)
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, unavailable("find client", ctx.Err())
		}
	}
	if err != nil {
		return nil, unavailable("find client", err)
	}
	return found, nil
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

var errDown = &net.OpError{Op: "dial", Err: errors.New("down")}

func newCache(t *testing.T, size int) (*Cache, *fake) {
	t.Helper()
	f := &fake{clients: map[string]string{"a": "first"}}
	c, err := NewCache(f, CacheOptions{Size: size, MaxStale: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

// listening gives the cache a heartbeat now, and returns a function that advances its clock.
func listening(c *Cache) (pass func(time.Duration)) {
	var offset atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	c.heard(c.now(), c.now())
	return func(d time.Duration) { offset.Add(int64(d)) }
}

func name(t *testing.T, c *Cache, id string) string {
	t.Helper()
	client, err := c.Find(t.Context(), id)
	if err != nil {
		t.Fatalf("find %s: %v", id, err)
	}
	return client.ClientName
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for", what)
		}
	}
}

func TestThousandRequestsMakeOneQuery(t *testing.T) {
	c, f := newCache(t, 100)
	f.hold = make(chan struct{})
	var wait sync.WaitGroup
	for range 1000 {
		wait.Go(func() {
			if client, err := c.Find(t.Context(), "a"); err != nil || client.ClientName != "first" {
				t.Errorf("got %v, %v", client, err)
			}
		})
	}
	waitFor(t, "the query", func() bool { return f.queries.Load() > 0 })
	close(f.hold)
	wait.Wait()
	if queries := f.queries.Load(); queries != 1 {
		t.Errorf("%d queries", queries)
	}
}

// A load reads the old row, then the change is notified, then the load ends. The cache must not store the
// old row.
func TestLoadThatBeganBeforeAChangeIsNotKept(t *testing.T) {
	for name2, announce := range map[string]func(*Cache){
		"of the client":  func(c *Cache) { c.forget("a") },
		"of all clients": (*Cache).forgetAll,
	} {
		t.Run(name2, func(t *testing.T) {
			c, f := newCache(t, 100)
			listening(c)
			hold := make(chan struct{})
			f.hold = hold
			early := make(chan string)
			go func() { early <- name(t, c, "a") }()
			waitFor(t, "the load to begin", func() bool { return f.queries.Load() == 1 })
			f.set(func() { f.clients["a"] = "second"; f.hold = nil })
			announce(c)
			if got := name(t, c, "a"); got != "second" {
				t.Errorf("asked after the change, while the old load is under way: %s", got)
			}
			close(hold)
			if got := <-early; got != "first" {
				t.Errorf("asked before the change: %s", got)
			}
			if got := name(t, c, "a"); got != "second" {
				t.Errorf("after the old load has landed: %s", got)
			}
		})
	}
}

func TestWarmCacheAsksNobody(t *testing.T) {
	c, f := newCache(t, 100)
	listening(c)
	for range 100 {
		name(t, c, "a")
	}
	if queries := f.queries.Load(); queries != 1 {
		t.Errorf("%d queries", queries)
	}
}

// Without heartbeats a row is used for less than a second; with them, until it changes or is too old.
func TestTrust(t *testing.T) {
	c, f := newCache(t, 100)
	pass := listening(c)
	name(t, c, "a")
	f.set(func() { f.clients["a"] = "second" })
	pass(trust - 50*time.Millisecond)
	if got := name(t, c, "a"); got != "first" {
		t.Errorf("before the trust is over: %s", got)
	}
	pass(50 * time.Millisecond)
	if got := name(t, c, "a"); got != "second" {
		t.Errorf("after the trust is over: %s", got)
	}
	f.set(func() { f.clients["a"] = "third" })
	heardSince := c.news.Load().since
	pass(trust * 2)
	c.heard(heardSince, c.now())
	if got := name(t, c, "a"); got != "second" {
		t.Errorf("the listener says that nothing has changed: %s", got)
	}
	c.heard(c.now(), c.now())
	if got := name(t, c, "a"); got != "third" {
		t.Errorf("the listener has begun anew since it was read: %s", got)
	}
	f.set(func() { f.clients["a"] = "fourth" })
	heardSince = c.news.Load().since
	pass(maxAge)
	c.heard(heardSince, c.now())
	if got := name(t, c, "a"); got != "fourth" {
		t.Errorf("after %v: %s", maxAge, got)
	}
}

// A change without a notification yet is in force at once for a client that would be refused.
func TestFindSinceAsksAgain(t *testing.T) {
	c, f := newCache(t, 100)
	listening(c)
	name(t, c, "a")
	f.set(func() { f.clients["a"] = "second" })
	started := time.Now()
	for range 3 {
		if client, err := c.FindSince(t.Context(), "a", started); err != nil || client.ClientName != "second" {
			t.Errorf("got %v, %v", client, err)
		}
	}
	if queries := f.queries.Load(); queries != 2 {
		t.Errorf("%d queries, want 2: what was read since is good enough", queries)
	}
}

// A load that began before an INSERT must not answer a request that came after it.
func TestInsertWhileALoadIsUnderWay(t *testing.T) {
	c, f := newCache(t, 100)
	hold := make(chan struct{})
	f.hold = hold
	early := make(chan error)
	go func() {
		_, err := c.Find(t.Context(), "late")
		early <- err
	}()
	waitFor(t, "the load to begin", func() bool { return f.queries.Load() == 1 })
	f.set(func() { f.clients["late"] = "inserted"; f.hold = nil })
	after := make(chan string)
	go func() { after <- name(t, c, "late") }()
	time.Sleep(10 * time.Millisecond) // gives it time to join the load in flight
	close(hold)
	if err := <-early; !errors.Is(err, models.ErrClientNotFound) {
		t.Errorf("asked before: %v", err)
	}
	if got := <-after; got != "inserted" {
		t.Errorf("asked after: %s", got)
	}
}

func TestMadeUpIDs(t *testing.T) {
	c, f := newCache(t, 100)
	hold := make(chan struct{})
	f.hold = hold
	var wait sync.WaitGroup
	for i := range 500 {
		wait.Go(func() {
			if _, err := c.Find(t.Context(), fmt.Sprint("made-up-", i)); !errors.Is(err, models.ErrClientNotFound) {
				t.Errorf("got %v", err)
			}
		})
	}
	waitFor(t, "the database to be busy", func() bool { return f.atOnce.Load() == strangerQueries })
	f.set(func() { f.hold = nil })
	close(hold)
	wait.Wait()
	if most := f.most.Load(); most > strangerQueries {
		t.Errorf("%d at once, want at most %d", most, strangerQueries)
	}
	if c.Size() != 0 {
		t.Errorf("%d of them are kept", c.Size())
	}
	if got := name(t, c, "a"); got != "first" {
		t.Errorf("a client among them: %s", got)
	}
}

func TestSizeIsBounded(t *testing.T) {
	c, f := newCache(t, 100)
	for i := range 10_000 {
		f.clients[fmt.Sprint(i)] = "x"
		name(t, c, fmt.Sprint(i))
	}
	waitFor(t, "the cache to shrink", func() bool { c.rows.CleanUp(); return c.Size() <= 100 })
}

func TestDatabaseDown(t *testing.T) {
	c, f := newCache(t, 100)
	pass := listening(c)
	name(t, c, "a")
	f.set(func() { f.err = errDown })
	pass(9 * time.Minute)
	if got := name(t, c, "a"); got != "first" {
		t.Errorf("a known client after nine minutes: %s", got)
	}
	if _, err := c.FindSince(t.Context(), "a", c.now()); err != nil {
		t.Errorf("a known client that was refused: %v", err)
	}
	if _, err := c.Find(t.Context(), "b"); !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrClientNotFound) {
		t.Errorf("an unknown client: %v", err)
	}
	pass(2 * time.Minute)
	if _, err := c.Find(t.Context(), "a"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("a known client after eleven minutes: %v", err)
	}
	f.set(func() { f.err = nil })
	if got := name(t, c, "a"); got != "first" {
		t.Errorf("after the outage: %s", got)
	}
}

// A row that is known to have changed is never used, even while the database is down.
func TestDatabaseDownAfterAChange(t *testing.T) {
	c, f := newCache(t, 100)
	listening(c)
	name(t, c, "a")
	f.set(func() { f.err = errDown })
	c.forget("a")
	if _, err := c.Find(t.Context(), "a"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// If the database hangs, a known client waits once for the patience, and then not at all.
func TestDatabaseHangs(t *testing.T) {
	c, f := newCache(t, 100)
	pass := listening(c)
	name(t, c, "a")
	hold := make(chan struct{})
	defer close(hold)
	f.set(func() { f.hold = hold })
	pass(trust)
	if got := name(t, c, "a"); got != "first" {
		t.Errorf("got %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Find(ctx, "b"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("an unknown client: %v", err)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	f := &fake{clients: map[string]string{"a": "first"}}
	c, err := NewCache(f, CacheOptions{Size: 100, MaxStale: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.heard(c.news.Load().since, time.Now())
		if _, err := c.Find(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}

// A row that cannot be read is not an outage. The other rows are found, and are not trusted for longer.
func TestUnreadableRowIsNoOutage(t *testing.T) {
	c, f := newCache(t, 100)
	pass := listening(c)
	f.set(func() { f.clients["b"] = "first" })
	name(t, c, "a")
	name(t, c, "b")
	c.deaf()
	pass(trust)
	f.set(func() { f.clients["a"] = "disabled"; f.unreadable = map[string]bool{"b": true} })
	for range 3 {
		if _, err := c.Find(t.Context(), "b"); !errors.Is(err, models.ErrUnavailable) {
			t.Errorf("the row that cannot be read: %v", err)
		}
		if got := name(t, c, "a"); got != "disabled" {
			t.Errorf("another, which was changed: %s", got)
		}
		pass(trust)
	}
}

// Loads share queries. A row that cannot be read fails alone.
func TestLoadsShareQueries(t *testing.T) {
	c, f := newCache(t, 10_000)
	listening(c)
	hold := make(chan struct{})
	f.set(func() {
		f.hold = hold
		for i := range 1000 {
			f.clients[fmt.Sprint(i)] = "x"
		}
		f.unreadable = map[string]bool{"500": true}
	})
	var wait sync.WaitGroup
	for i := range 1000 {
		wait.Go(func() {
			client, err := c.Find(t.Context(), fmt.Sprint(i))
			if (err != nil) != (i == 500) || err == nil && client.ClientID != fmt.Sprint(i) {
				t.Errorf("%d: %v, %v", i, client, err)
			}
		})
	}
	waitFor(t, "all to wait", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.flights) == 1000
	})
	close(hold)
	wait.Wait()
	if queries := f.queries.Load(); queries > 60 {
		t.Errorf("%d queries", queries)
	}
}

// Clients that have changed are still known. Thousands of them are read again quickly, even if the database
// is far away and unknown ids keep coming.
func TestChangeToThousandsOfClients(t *testing.T) {
	for what, announce := range map[string]func(*Cache){
		"one by one": func(c *Cache) {
			for i := range 4000 {
				c.forget(fmt.Sprint(i))
			}
		},
		"all": (*Cache).forgetAll,
	} {
		t.Run(what, func(t *testing.T) {
			c, f := newCache(t, 10_000)
			listening(c)
			for i := range 4000 {
				f.clients[fmt.Sprint(i)] = "first"
			}
			each := func(want string) {
				var wait sync.WaitGroup
				for i := range 4000 {
					wait.Go(func() {
						if got := name(t, c, fmt.Sprint(i)); got != want {
							t.Errorf("%d: %s", i, got)
						}
					})
				}
				wait.Wait()
			}
			each("first")
			f.set(func() {
				f.pause = 20 * time.Millisecond
				for i := range 4000 {
					f.clients[fmt.Sprint(i)] = "second"
				}
			})
			announce(c)
			stop := make(chan struct{})
			var strangers sync.WaitGroup
			for i := range 50 {
				strangers.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
							_, _ = c.Find(t.Context(), fmt.Sprint("made-up-", i, "-", n)) // the result does not matter
						}
					}
				})
			}
			before := f.queries.Load()
			each("second")
			close(stop)
			strangers.Wait()
			t.Logf("%d queries", f.queries.Load()-before)
		})
	}
}
