//go:build faults

package faults_test

import (
	"testing"
	"time"

	"chit/app/apptest"
)

// migratedSlots is how many of the first primary's slots move to the second.
const migratedSlots = "400"

var clusterFaults = []fault{
	{
		name:  "Cluster: slots migrate",
		stack: cluster,
		begin: func(s *stack) {
			from, to := s.cluster.Nodes[0], s.cluster.Nodes[1]
			from.CLI("--cluster", "reshard", from.Addr, "--cluster-from", from.CLI("CLUSTER", "MYID"),
				"--cluster-to", to.CLI("CLUSTER", "MYID"), "--cluster-slots", migratedSlots, "--cluster-yes")
		},
	},
	{
		name:  "Cluster: a primary dies, its replica is promoted",
		stack: cluster,
		begin: func(s *stack) {
			replica := s.replicas[0]
			s.cluster.Nodes[0].Kill()
			client := replica.Client()
			eventually(s.t, 30*time.Second, "the replica is promoted", func() bool {
				role, err := client.Do(s.t.Context(), "ROLE").Slice()
				return err == nil && role[0] == "master"
			})
		},
		may:    []string{"503"},
		loses:  true, // writes that were acknowledged just before it died
		revive: true,
	},
}

func cluster(t testing.TB) *stack {
	s := &stack{t: t, database: apptest.Database(t), cluster: apptest.StartRedisCluster(t)}
	s.replicas = s.cluster.AddReplicas(t)
	return s.serve(1, s.database, s.cluster.URL)
}
