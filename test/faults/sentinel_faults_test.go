//go:build faults

package faults_test

import (
	"net"
	"testing"
	"time"

	"chit/app/apptest"
)

// unreplicated is how long the primary answers without its replica before it dies.
const unreplicated = 500 * time.Millisecond

var sentinelFaults = []fault{
	{
		name:   "Sentinel: primary dies, replica behind; waiting for none",
		stack:  behindSentinel(),
		begin:  failOver,
		may:    []string{"503"},
		loses:  true,
		revive: true,
	},
	{
		name:  "Sentinel: primary dies, replica behind; CHIT_REDIS_WAIT_REPLICAS=1",
		stack: behindSentinel("CHIT_REDIS_WAIT_REPLICAS=1"),
		begin: failOver,
		may:   []string{"503"},
		loses: true,
	},
	{
		name:  "Sentinel: primary dies, replica behind; and CHIT_REDIS_WAIT_ON_ISSUE=on",
		stack: behindSentinel("CHIT_REDIS_WAIT_REPLICAS=1", "CHIT_REDIS_WAIT_ON_ISSUE=on"),
		begin: failOver,
		may:   []string{"503"},
	},
}

func behindSentinel(env ...string) func(testing.TB) *stack {
	return func(t testing.TB) *stack {
		s := &stack{t: t, database: apptest.Database(t), sentinel: apptest.StartRedisSentinel(t)}
		return s.serve(1, s.database, s.sentinel.URL, env...)
	}
}

// failOver disconnects the replica, waits for a moment, kills the primary, waits for the promotion of the
// replica, and starts the old primary as its replica.
func failOver(s *stack) {
	primary, replica := s.sentinel.Primary, s.sentinel.Replica
	replica.CLI("CONFIG", "SET", "masterauth", "wrong")
	primary.CLI("CLIENT", "KILL", "TYPE", "replica")
	time.Sleep(unreplicated)
	primary.Kill()
	eventually(s.t, 30*time.Second, "the replica is promoted", func() bool {
		return s.sentinel.Master(s.t.Context()) == replica.Addr
	})
	s.sentinel.Hold(s.t)
	replica.CLI("CONFIG", "SET", "masterauth", "")
	host, port, err := net.SplitHostPort(replica.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	replica.CLI("CONFIG", "SET", "repl-diskless-sync-delay", "0")
	primary.Start()
	primary.CLI("REPLICAOF", host, port)
}
