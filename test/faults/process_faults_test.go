//go:build faults

package faults_test

import (
	"testing"

	"chit/app/apptest"
)

var processFaults = []fault{
	{
		name:  "one of two nodes: kill -9 and restart",
		stack: nodes(2),
		begin: func(s *stack) { s.nodes[0].kill() },
		end:   func(s *stack) { s.nodes[0].start() },
		may:   []string{"refused", "reset"},
	},
	{
		name:  "two of three nodes: kill -9 and restart",
		stack: nodes(3),
		begin: func(s *stack) { s.nodes[0].kill(); s.nodes[2].kill() },
		end:   func(s *stack) { s.nodes[0].start(); s.nodes[2].start() },
		may:   []string{"refused", "reset"},
	},
	{
		name:     "one of two nodes: SIGTERM and restart, behind a balancer",
		stack:    nodes(2),
		begin:    func(s *stack) { s.nodes[0].terminate() },
		end:      func(s *stack) { s.nodes[0].start() },
		balanced: true,
	},
}

// nodes returns a stack of n servers, a database and a Redis.
func nodes(n int, args ...string) func(testing.TB) *stack {
	return func(t testing.TB) *stack {
		s := &stack{t: t, database: apptest.Database(t), redis: apptest.StartRedis(t, args...)}
		return s.serve(n, s.database, s.redis.URL)
	}
}

// serve starts n servers, with the clients of the load.
func (s *stack) serve(n int, databaseURL, redisURL string, env ...string) *stack {
	for i := range n {
		s.nodes = append(s.nodes, startChit(s.t, databaseURL, redisURL, env...))
		if i == 0 {
			apptest.Psql(s.t, s.database, clientsSQL)
		}
	}
	return s
}
