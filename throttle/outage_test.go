package throttle_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"chit/app/apptest"
)

// Without Redis each node counts by itself. No request waits for long, and the counts expire.
func TestRedisOutOfReach(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*apptest.Redis) }{
		"stopped": {(*apptest.Redis).Stop, (*apptest.Redis).Start},
		"frozen":  {(*apptest.Redis).Pause, (*apptest.Redis).Resume},
		"refusing writes": {func(r *apptest.Redis) { r.CLI("REPLICAOF", "127.0.0.1", "1") },
			func(r *apptest.Redis) { r.CLI("REPLICAOF", "NO", "ONE") }},
	} {
		t.Run(name, func(t *testing.T) {
			server := apptest.StartRedis(t)
			client := connect(t, server.URL)
			a, b := newNode(t, client, 5, 0), newNode(t, client, 5, 0)
			outage.begin(server)
			began := time.Now()
			if a.fail(5, "192.0.2.1", "alice") != 0 || a.fail(1, "192.0.2.1", "alice") != 1 || !a.wait("192.0.2.1", "alice") {
				t.Error("a node by itself does not count")
			}
			if took := time.Since(began); took > 1500*time.Millisecond {
				t.Errorf("6 failures took %v", took)
			}
			if b.fail(5, "192.0.2.1", "alice") != 0 {
				t.Error("nodes count together without Redis")
			}
			outage.end(server)
			a.skip(2 * time.Second)
			if !a.wait("192.0.2.1", "alice") {
				t.Error("Redis is back and the node's own block is gone")
			}
			a.skip(time.Minute)
			if a.wait("192.0.2.1", "alice") || a.fail(4, "192.0.2.1", "alice") != 0 || client.Exists(t.Context(), "oauth:throttle:{192.0.2.1}:"+
				"2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90").Val() != 1 {
				t.Error("the nodes do not count together again")
			}
		})
	}
}

// An attempt that succeeds needs no command, and neither does one that is blocked.
func TestNoCommandsWithoutFailure(t *testing.T) {
	server := miniredis.RunT(t)
	n := newNode(t, connect(t, "redis://"+server.Addr()), 3, 10)
	n.fail(3, "192.0.2.1", "alice")
	before := server.CommandCount()
	for range 1000 {
		if n.wait("192.0.2.1", "bob") || n.wait("192.0.2.2", "alice") || !n.wait("192.0.2.1", "alice") {
			t.Fatal("the wrong one is blocked")
		}
	}
	if sent := server.CommandCount() - before; sent > 1 { // one command a second, to ask whether the block still exists
		t.Errorf("%d commands", sent)
	}
	off := newNode(t, nil, 0, 0)
	if off.fail(1000, "192.0.2.1", "alice") != 0 || off.wait("192.0.2.1", "alice") {
		t.Error("limits of 0 are none")
	}
}

// A failure counts even if the client hangs up, and does not look like an outage of Redis.
func TestCancelledRequestIsCounted(t *testing.T) {
	n := newNode(t, connect(t, "redis://"+miniredis.RunT(t).Addr()), 3, 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		n.Count(gone, "192.0.2.1", "alice")
	}
	if n.fail(1, "192.0.2.1", "alice") != 1 {
		t.Error("it was not counted")
	}
}
