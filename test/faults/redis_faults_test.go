//go:build faults

package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// persistent has the arguments of a Redis that keeps what it has acknowledged.
var persistent = []string{"--appendonly", "yes", "--appendfsync", "always"}

var redisFaults = []fault{
	{
		name:  "Redis stopped and started again",
		stack: nodes(2, persistent...),
		begin: func(s *stack) { s.redis.Stop() },
		end:   func(s *stack) { s.redis.Start() },
		may:   []string{"503"},
	},
	{
		name:  "Redis killed, restarted from its append-only file",
		stack: nodes(1, persistent...),
		begin: func(s *stack) { s.redis.Kill() },
		end:   func(s *stack) { s.redis.Start() },
		may:   []string{"503"},
	},
	{
		name:  "Redis restarted empty",
		stack: filled,
		begin: func(s *stack) { s.redis.Kill() },
		end:   func(s *stack) { s.redis.Start() },
		may:   []string{"503"},
		loses: true,
		after: func(s *stack) {
			if n := s.nodes[0].log.count("restarted without its data"); n != 1 {
				s.t.Errorf("the log says %d times that the data is lost: %s", n, s.nodes[0].log)
			}
		},
	},
	{
		name:  "Redis frozen (SIGSTOP)",
		stack: nodes(1),
		begin: func(s *stack) { s.redis.Pause() },
		end:   func(s *stack) { s.redis.Resume() },
		may:   []string{"503"},
	},
	{
		name:  "CLIENT KILL TYPE normal, ten times",
		stack: nodes(1),
		begin: func(s *stack) {
			for range 10 {
				s.redis.CLI("CLIENT", "KILL", "TYPE", "normal")
				time.Sleep(outage / 10)
			}
		},
		may: []string{"503"},
	},
	{
		name:  "maxmemory reached, noeviction",
		stack: nodes(1),
		begin: func(s *stack) { s.redis.CLI("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction") },
		end:   func(s *stack) { s.redis.CLI("CONFIG", "SET", "maxmemory", "0") },
		may:   []string{"503"},
	},
	{
		name:  "Redis is a read-only replica",
		stack: nodes(1),
		begin: func(s *stack) { s.redis.CLI("REPLICAOF", "127.0.0.1", "1") },
		end:   func(s *stack) { s.redis.CLI("REPLICAOF", "NO", "ONE") },
		may:   []string{"503"},
	},
	{
		name:  "Redis is loading",
		stack: loading,
		begin: func(s *stack) { s.redis.Kill(); s.redis.Start() }, // returns when it has loaded its data
		may:   []string{"503"},
	},
}

// keyDelay is how long Redis takes for each key when it loads its data.
const keyDelay = 100 * time.Microsecond

// loading returns a stack whose Redis takes as long as an outage to load its data.
func loading(t testing.TB) *stack {
	s := nodes(1, append(persistent[:len(persistent):len(persistent)], "--key-load-delay", fmt.Sprint(keyDelay.Microseconds()))...)(t)
	s.fill(int(outage / keyDelay))
	return s
}

// filled returns a stack whose Redis has many tokens.
func filled(t testing.TB) *stack {
	s := nodes(1)(t)
	s.fill(10_000)
	return s
}

func (s *stack) fill(keys int) {
	s.t.Helper()
	_, err := s.redis.Client().Pipelined(s.t.Context(), func(p redis.Pipeliner) error {
		for i := range keys {
			p.Set(s.t.Context(), fmt.Sprint("filler:", i), "", 0)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
