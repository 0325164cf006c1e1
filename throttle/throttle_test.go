package throttle_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/throttle"
	"chit/tokens"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// stores are the kinds of Redis that the conformance suite runs on.
var stores = map[string]func(*testing.T) string{
	"miniredis": func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() },
	"redis":     func(t *testing.T) string { return apptest.StartRedis(t).URL },
	"sentinel":  func(t *testing.T) string { return apptest.StartRedisSentinel(t).URL },
	"cluster":   func(t *testing.T) string { return apptest.StartRedisCluster(t).URL },
}

func connect(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := tokens.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// node is a Failures with its own clock.
type node struct {
	*throttle.Failures
	t       *testing.T
	skipped atomic.Int64
}

func newNode(t *testing.T, client redis.UniversalClient, perClient, perAddress int) *node {
	n := &node{t: t}
	n.Failures = &throttle.Failures{Redis: client, PerClient: perClient, PerAddress: perAddress, Timeout: 500 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.skipped.Load())) }}
	return n
}

// skip advances the clock of this node only.
func (n *node) skip(d time.Duration) { n.skipped.Add(int64(d)) }

func (n *node) wait(address, client string) bool {
	return n.Wait(n.t.Context(), address, client) > 0
}

// fail records n failures and returns how many of them exceeded the limit.
func (n *node) fail(times int, address, client string) (tooMany int) {
	n.t.Helper()
	for range times {
		if left := n.Count(n.t.Context(), address, client); left > 0 {
			tooMany++
			if left > time.Minute {
				n.t.Errorf("a wait of %v", left)
			}
		}
	}
	return tooMany
}

func TestNodesCountTogether(t *testing.T) {
	for name, start := range stores {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			a, b := newNode(t, connect(t, url), 4, 0), newNode(t, connect(t, url), 4, 0)
			if n := a.fail(2, "192.0.2.1", "alice") + b.fail(2, "192.0.2.1", "alice"); n != 0 {
				t.Fatalf("%d of the first 4 failures are too many", n)
			}
			if a.wait("192.0.2.1", "alice") {
				t.Error("a node that has not seen the last failure knows of it")
			}
			if !b.wait("192.0.2.1", "alice") {
				t.Error("the limit is used up, and more attempts are looked at")
			}
			if a.fail(1, "192.0.2.1", "alice") != 1 || !a.wait("192.0.2.1", "alice") {
				t.Error("the other node does not learn of the block")
			}
			if a.wait("192.0.2.2", "alice") || a.wait("192.0.2.1", "bob") {
				t.Error("another address or client is blocked too")
			}
			checkKeys(t, connect(t, url))
		})
	}
}

// checkKeys checks that all keys expire and have a limited length.
func checkKeys(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	keys := 0
	check := func(ctx context.Context, one *redis.Client) error {
		for _, key := range one.Keys(ctx, "*").Val() {
			keys++
			if ttl := one.PTTL(ctx, key).Val(); ttl <= 0 || ttl > time.Minute || !strings.HasPrefix(key, "oauth:throttle:{") || len(key) > 130 {
				t.Errorf("%s expires in %v", key, ttl)
			}
		}
		return nil
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		_ = cluster.ForEachMaster(t.Context(), check)
	} else {
		_ = check(t.Context(), client.(*redis.Client))
	}
	if keys == 0 {
		t.Error("no keys")
	}
}

func TestAddressLimitOverManyClients(t *testing.T) {
	n := newNode(t, connect(t, "redis://"+miniredis.RunT(t).Addr()), 3, 10)
	for i := range 10 {
		if n.fail(1, "192.0.2.1", fmt.Sprint("client", i)) != 0 {
			t.Errorf("failure %d is too many", i)
		}
	}
	if n.fail(1, "192.0.2.1", "alice") != 1 || !n.wait("192.0.2.1", "anyone") || n.wait("192.0.2.2", "anyone") {
		t.Error("not the address, or not it alone, is blocked")
	}
}

func TestWhatIsOneAddress(t *testing.T) {
	for _, row := range []struct {
		name, failing, asking string
		same                  bool
	}{
		{"IPv4", "192.0.2.1", "192.0.2.1", true},
		{"neighbour in IPv4", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"neighbour of that", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"the same /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"another /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"with a zone", "fe80::1%eth0", "fe80::1", true},
		{"no address", "", "192.0.2.1", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := newNode(t, connect(t, "redis://"+miniredis.RunT(t).Addr()), 0, 3)
			n.fail(3, row.failing, "alice")
			if got := n.wait(row.asking, "bob"); got != row.same {
				t.Errorf("blocked: %t", got)
			}
		})
	}
}

func TestWindowPasses(t *testing.T) {
	server := miniredis.RunT(t)
	n := newNode(t, connect(t, "redis://"+server.Addr()), 3, 0)
	n.fail(3, "192.0.2.1", "alice")
	for second := range 60 {
		if !n.wait("192.0.2.1", "alice") {
			t.Fatalf("the block ends after %d s", second)
		}
		server.FastForward(time.Second)
		n.skip(time.Second)
	}
	if n.wait("192.0.2.1", "alice") || n.fail(3, "192.0.2.1", "alice") != 0 || n.fail(1, "192.0.2.1", "alice") != 1 {
		t.Error("there is no new window")
	}
}

// A client that fails once a second stays far below the limit. A blocked client does not prolong its block
// by trying again.
func TestRetryingEverySecondIsNeverBlocked(t *testing.T) {
	server := miniredis.RunT(t)
	n := newNode(t, connect(t, "redis://"+server.Addr()), 100, 1000)
	for second := range 600 {
		if n.wait("192.0.2.1", "cron") || n.fail(1, "192.0.2.1", "cron") != 0 {
			t.Fatalf("blocked after %d s", second)
		}
		server.FastForward(time.Second)
		n.skip(time.Second)
	}
}

// If an operator deletes a key, every node applies that within a second.
func TestDeletedKeyLiftsTheBlock(t *testing.T) {
	client := connect(t, apptest.StartRedis(t).URL)
	nodes := []*node{newNode(t, client, 3, 0), newNode(t, client, 3, 0)}
	nodes[0].fail(3, "192.0.2.1", "alice")
	nodes[1].fail(1, "192.0.2.1", "alice")
	for _, n := range nodes {
		n.skip(time.Second)
		if !n.wait("192.0.2.1", "alice") {
			t.Error("a block that stands in Redis ends after a second")
		}
	}
	client.Del(t.Context(), client.Keys(t.Context(), "*").Val()...)
	for _, n := range nodes {
		n.skip(time.Second)
		if n.wait("192.0.2.1", "alice") {
			t.Error("the block stands")
		}
	}
}

// However many attempts fail at the same time, on any number of nodes, no more get through than the limit
// allows.
func TestConcurrentFailures(t *testing.T) {
	url := apptest.StartRedis(t).URL
	nodes := []*node{newNode(t, connect(t, url), 50, 0), newNode(t, connect(t, url), 50, 0)}
	var through atomic.Int64
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			if n := nodes[i%2]; n.Wait(t.Context(), "192.0.2.1", "alice") == 0 && n.Count(t.Context(), "192.0.2.1", "alice") == 0 {
				through.Add(1)
			}
		})
	}
	wait.Wait()
	if through.Load() != 50 {
		t.Errorf("%d got through", through.Load())
	}
}

// Failures that are being counted are included. While they reach the limit, no other attempt is processed
// or counted.
func TestFailuresUnderWayCount(t *testing.T) {
	release := make(chan struct{})
	var counting atomic.Int64
	url := apptest.StartRedisProxy(t, apptest.StartRedis(t).URL, func(x *apptest.Exchange) {
		if x.Command[0] == "EXEC" {
			counting.Add(1)
			<-release
		}
		apptest.Pass(x)
	}).URL
	n := newNode(t, connect(t, url), 3, 0)
	n.Timeout = 10 * time.Second
	var wait sync.WaitGroup
	var through atomic.Int64
	for range 3 {
		wait.Go(func() {
			if n.Count(t.Context(), "192.0.2.1", "alice") == 0 {
				through.Add(1)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); counting.Load() < 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if !n.wait("192.0.2.1", "alice") || n.wait("192.0.2.1", "bob") || n.wait("192.0.2.2", "alice") {
		t.Error("not the client at the address, or not it alone, has to wait")
	}
	if n.fail(100, "192.0.2.1", "alice") != 100 || counting.Load() != 3 {
		t.Errorf("more than the limit are counted at once: %d", counting.Load())
	}
	close(release)
	wait.Wait()
	if through.Load() != 3 || !n.wait("192.0.2.1", "alice") {
		t.Errorf("%d got through", through.Load())
	}
}
