package tokens_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// The number of removed keys is correct after a failure, and the next call removes the rest.
func TestPurgeSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	server := apptest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	client, err := tokens.Connect(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s := suite{&tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}, client, nil}
	ids := s.several(t, "patient", 1200)
	removed, err := s.Purge(t.Context(), "patient", time.Now(), func(done, _ int) {
		if done == 1000 {
			server.Kill()
		}
	})
	if !errors.Is(err, models.ErrUnavailable) || removed != 1000 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	if _, err := s.Purge(t.Context(), "patient", time.Now(), nil); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("while it is down: %v", err)
	}
	for _, err := range s.List(t.Context(), "patient") {
		if !errors.Is(err, models.ErrUnavailable) {
			t.Errorf("list while it is down: %v", err)
		}
	}
	server.Start()
	if removed, err = s.Purge(t.Context(), "patient", time.Now(), nil); err != nil || removed != 200 || s.exist(t, ids) != 0 {
		t.Errorf("afterwards: removed %d, %v", removed, err)
	}
}

// If a node of a Cluster is down, its keys remain, and so do their ids in the index.
func TestPurgeOfAClusterWithANodeDown(t *testing.T) {
	t.Parallel()
	cluster := apptest.StartRedisCluster(t)
	client, err := tokens.Connect(cluster.URL + "&max_redirects=1&read_timeout=200ms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	s := suite{&tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}, client, nil}
	ids := s.several(t, "patient", 100)
	slot := client.ClusterKeySlot(t.Context(), "oauth:client:patient:tokens").Val()
	down := cluster.Nodes[0]
	if slot < 5461 {
		down = cluster.Nodes[1]
	}
	down.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	removed, err := s.PurgeAll(ctx, "patient", nil)
	if !errors.Is(err, models.ErrUnavailable) || removed == 0 || removed == 100 {
		t.Errorf("removed %d, %v", removed, err)
	}
	down.Resume()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := s.PurgeAll(t.Context(), "patient", nil); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if s.exist(t, ids) != 0 || len(s.index(t, "patient")) != 0 {
		t.Errorf("%d keys, %d ids left", s.exist(t, ids), len(s.index(t, "patient")))
	}
}
