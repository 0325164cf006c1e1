package tokens_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// If one primary of a Cluster hangs, calls to the other primaries succeed.
func TestOneHungPrimary(t *testing.T) {
	cluster := apptest.StartRedisCluster(t)
	store := storeAt(t, cluster.URL)
	onHung, onOthers := []string{}, []string{}
	hung := cluster.Nodes[0]
	for len(onHung) < 20 || len(onOthers) < 40 {
		token, issued := mustIssue(t, store)
		if exists, err := hung.Client().Exists(t.Context(), "oauth:token:"+issued.ID).Result(); err == nil && exists == 1 {
			onHung = append(onHung, token)
		} else {
			onOthers = append(onOthers, token)
		}
	}
	hung.Pause()
	defer hung.Resume()
	var found, failed, longest atomic.Int64
	together(24, func(i int) {
		for n, began := i, time.Now(); time.Since(began) < 1500*time.Millisecond; n++ {
			if i%4 == 0 {
				if _, err := store.Find(t.Context(), onHung[n%len(onHung)]); !errors.Is(err, models.ErrUnavailable) {
					t.Errorf("on the primary that hangs: %v", err)
				}
				continue
			}
			asked := time.Now()
			if _, err := store.Find(t.Context(), onOthers[n%len(onOthers)]); err != nil {
				failed.Add(1)
				t.Errorf("on another primary: %v", err)
				return
			}
			found.Add(1)
			longest.Store(max(longest.Load(), int64(time.Since(asked))))
			time.Sleep(time.Millisecond)
		}
	})
	t.Logf("found %d, failed %d, the longest wait %v", found.Load(), failed.Load(), time.Duration(longest.Load()))
	if found.Load() < 500 {
		t.Errorf("found only %d", found.Load())
	}
}

// A call ends at the deadline of its request, whether it is sent alone or waits in a batch.
func TestDeadlineOfTheRequest(t *testing.T) {
	store, server := open(t, func(s *tokens.Store) { s.Timeout = 5 * time.Second })
	token, issued := mustIssue(t, store)
	server.Pause()
	defer server.Resume()
	together(8, func(i int) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		var err error
		if i%2 == 0 {
			_, err = store.Find(ctx, token)
		} else {
			err = store.Revoke(ctx, issued)
		}
		if took := time.Since(began); took > 2*time.Second || !errors.Is(err, models.ErrUnavailable) {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
