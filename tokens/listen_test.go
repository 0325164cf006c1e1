package tokens_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/tokens"
)

// heard is an observer that remembers what it is told.
type heard struct {
	mu     sync.Mutex
	ended  []string
	all    int
	lost   int
	proven time.Time
}

func (h *heard) TokenEnded(id string)   { h.do(func() { h.ended = append(h.ended, id) }) }
func (h *heard) AllChanged()            { h.do(func() { h.all++ }) }
func (h *heard) Lost()                  { h.do(func() { h.lost++ }) }
func (h *heard) Proven(until time.Time) { h.do(func() { h.proven = until }) }

func (h *heard) do(work func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	work()
}

// listening returns an observer of a running listener, and a function that waits for its next proof.
func listening(t *testing.T, client redis.UniversalClient) (*heard, func()) {
	t.Helper()
	h := &heard{}
	l := tokens.NewListener(client, h, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	prove := func() {
		t.Helper()
		now := time.Now()
		var until time.Time
		for ; until.Before(now); h.do(func() { until = h.proven }) {
			if time.Since(now) > 20*time.Second {
				t.Fatal("no proof within 20 s")
			}
			l.Prove()
			time.Sleep(time.Millisecond)
		}
	}
	prove()
	return h, prove
}

// Every deletion is heard before the next proof, on each kind of Redis.
func TestListener(t *testing.T) {
	for name, start := range stores {
		if name == "miniredis" {
			continue // it has no events: see app/miniredis.go
		}
		t.Run(name, func(t *testing.T) {
			url, _ := start(t)
			client, err := tokens.Connect(url)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			h, prove := listening(t, client)
			var want []string
			for i := range 300 {
				id := fmt.Sprint(i)
				want = append(want, id)
				if err := client.Set(t.Context(), "oauth:token:"+id, "x", time.Hour).Err(); err != nil {
					t.Fatal(err)
				}
				remove := client.Del
				if i%2 == 0 {
					remove = client.Unlink
				}
				if err := remove(t.Context(), "oauth:token:"+id).Err(); err != nil {
					t.Fatal(err)
				}
			}
			prove()
			h.do(func() {
				slices.Sort(want)
				if slices.Sort(h.ended); !slices.Equal(h.ended, want) || h.all > 0 || h.lost > 0 {
					t.Errorf("%d of %d ends were heard; %d losses, %d times all", len(h.ended), len(want), h.lost, h.all)
				}
			})
			flush(t, client)
			prove()
			h.do(func() {
				if h.all == 0 {
					t.Error("FLUSHALL was not heard")
				}
			})
		})
	}
}

func flush(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	var err error
	if cluster, is := client.(*redis.ClusterClient); is {
		// Only one primary, which must be enough.
		var primary *redis.Client
		if primary, err = cluster.MasterForKey(t.Context(), "x"); err == nil {
			err = primary.FlushAll(t.Context()).Err()
		}
	} else {
		err = client.FlushAll(t.Context()).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An expiry is not heard, and neither are keys of other programs.
func TestListenerHearsNoExpiry(t *testing.T) {
	url, _ := stores["redis"](t)
	client, err := tokens.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	h, prove := listening(t, client)
	client.Set(t.Context(), "oauth:token:brief", "x", 20*time.Millisecond)
	client.Set(t.Context(), "other", "x", 0)
	client.Del(t.Context(), "other")
	time.Sleep(100 * time.Millisecond)
	if client.Exists(t.Context(), "oauth:token:brief").Val() != 0 {
		t.Error("the key has not expired")
	}
	prove()
	h.do(func() {
		if len(h.ended) > 0 {
			t.Errorf("heard: %v", h.ended)
		}
	})
}

// After a failover the listener reports a loss, and hears the new primary. It does not matter whether the
// old primary died or was demoted.
func TestListenerAfterFailover(t *testing.T) {
	for name, failOver := range map[string]func(*apptest.RedisSentinel){
		"dead":    func(s *apptest.RedisSentinel) { s.Primary.Kill() },
		"demoted": func(s *apptest.RedisSentinel) { s.Sentinels[0].CLI("SENTINEL", "FAILOVER", s.MasterName) },
	} {
		t.Run(name, func(t *testing.T) {
			s := apptest.StartRedisSentinel(t)
			client, err := tokens.Connect(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			h, prove := listening(t, client)
			failOver(s)
			for began := time.Now(); s.Master(t.Context()) != s.Replica.Addr; time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > 30*time.Second {
					t.Fatal("there is no new primary")
				}
			}
			for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				prove()
				lost := 0
				if h.do(func() { lost = h.lost }); lost > 0 {
					break
				}
				if time.Since(began) > 10*time.Second {
					t.Fatal("the loss was not noticed")
				}
			}
			s.Replica.CLI("SET", "oauth:token:x", "x")
			s.Replica.CLI("DEL", "oauth:token:x")
			prove()
			h.do(func() {
				if !slices.Contains(h.ended, "x") {
					t.Errorf("the new primary is not heard: %v", h.ended)
				}
			})
		})
	}
}
