package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// together calls do from n goroutines at the same time.
func together(n int, do func(i int)) {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { do(i) })
	}
	wait.Wait()
}

// open returns a store with its own Redis.
func open(t testing.TB, change func(*tokens.Store)) (*tokens.Store, *apptest.Redis) {
	t.Helper()
	server := apptest.StartRedis(t)
	client, err := tokens.Connect(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	store := &tokens.Store{Redis: client, Prefix: "chit", Now: time.Now, Timeout: 500 * time.Millisecond}
	if change != nil {
		change(store)
	}
	return store, server
}

// Requests that share round trips each get their own answer: a new token is found, a revoked or unknown
// token is not, and nobody gets the token of another request.
func TestSharedRoundTrips(t *testing.T) {
	for name, apart := range map[string]bool{"shared": false, "apart": true} {
		t.Run(name, func(t *testing.T) {
			store, _ := open(t, func(s *tokens.Store) { s.Apart = apart })
			together(64, func(i int) {
				client := fmt.Sprint("client-", i%5)
				for range 20 {
					token, issued, err := store.Issue(t.Context(), models.Grant{ClientID: client, TTL: time.Hour})
					if err != nil {
						t.Error(err)
						return
					}
					if found, err := store.Find(t.Context(), token); err != nil || found.ID != issued.ID || found.ClientID != client {
						t.Errorf("issued %v, found %v, %v", issued, found, err)
					}
					if _, err := store.Find(t.Context(), tokens.Mint("chit")); !errors.Is(err, models.ErrTokenNotFound) {
						t.Errorf("a token that never was: %v", err)
					}
					if err := store.Revoke(t.Context(), issued); err != nil {
						t.Error(err)
					}
					if _, err := store.Find(t.Context(), token); !errors.Is(err, models.ErrTokenNotFound) {
						t.Errorf("a revoked token: %v", err)
					}
				}
			})
			if left := store.Redis.DBSize(t.Context()).Val(); left != 0 {
				t.Errorf("%d keys are left", left)
			}
		})
	}
}

// Concurrent requests share commands.
func TestRoundTripsAreShared(t *testing.T) {
	store, server := open(t, nil)
	before := commands(server, "zadd")
	together(64, func(int) {
		for range 20 {
			if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour}); err != nil {
				t.Error(err)
			}
		}
	})
	if sent := commands(server, "zadd") - before; sent >= 64*20 {
		t.Errorf("%d writes of the index for %d tokens", sent, 64*20)
	}
	if listed := server.CLI("ZCARD", "oauth:client:c:tokens"); listed != "1280" {
		t.Errorf("%s tokens are listed", listed)
	}
}

// commands returns how often Redis has run a command.
func commands(server *apptest.Redis, name string) (calls int) {
	_, line, _ := strings.Cut(server.CLI("INFO", "commandstats"), "cmdstat_"+name+":calls=")
	fmt.Sscan(line, &calls)
	return calls
}

// If the index of one client cannot be written, only the requests of that client fail.
func TestOneBadCommandAmongGoodOnes(t *testing.T) {
	store, server := open(t, nil)
	server.CLI("SET", "oauth:client:bad:tokens", "not a sorted set")
	together(64, func(i int) {
		client := "good"
		if i%8 == 0 {
			client = "bad"
		}
		for range 10 {
			_, _, err := store.Issue(t.Context(), models.Grant{ClientID: client, TTL: time.Hour})
			if (err != nil) != (client == "bad") {
				t.Errorf("%s: %v", client, err)
			}
		}
	})
}

// A request that is cancelled, before it is sent or while it waits, does not cancel the others.
func TestCancelledAmongOthers(t *testing.T) {
	store, _ := open(t, nil)
	together(64, func(i int) {
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			if i%4 == 0 {
				go cancel()
			}
			_, _, err := store.Issue(ctx, models.Grant{ClientID: "c", TTL: time.Hour})
			if err != nil && (i%4 != 0 || !errors.Is(err, models.ErrUnavailable)) {
				t.Error(err)
			}
			cancel()
		}
	})
}

// While Redis is away, every request gets an error in time, and none is told that a token is unknown.
// Afterwards everything works again.
func TestRedisGoneForAWhile(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*apptest.Redis) }{
		"stopped": {(*apptest.Redis).Stop, (*apptest.Redis).Start},
		"frozen":  {(*apptest.Redis).Pause, (*apptest.Redis).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			store, server := open(t, nil)
			token, _, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			outage.begin(server)
			var longest atomic.Int64
			together(32, func(int) {
				for began := time.Now(); time.Since(began) < 2*time.Second; {
					asked := time.Now()
					if _, err := store.Find(t.Context(), token); !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrTokenNotFound) {
						t.Errorf("got %v", err)
						return
					}
					longest.Store(max(longest.Load(), int64(time.Since(asked))))
					time.Sleep(time.Millisecond)
				}
			})
			t.Logf("the longest wait was %v", time.Duration(longest.Load()))
			if wait := time.Duration(longest.Load()); wait > 2*time.Second {
				t.Errorf("a request waited %v, with round trips of half a second", wait)
			}
			outage.end(server)
			deadline := time.Now().Add(2 * time.Second)
			for {
				if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour}); err == nil {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("two seconds after its return: %v", err)
				}
			}
		})
	}
}

// The index is written before the token, so every token that is found is also listed.
func TestIndexGoesFirst(t *testing.T) {
	store, server := open(t, nil)
	server.CLI("CONFIG", "SET", "slowlog-log-slower-than", "0")
	together(16, func(int) {
		if _, _, err := store.Issue(t.Context(), models.Grant{ClientID: "c", TTL: time.Hour}); err != nil {
			t.Error(err)
		}
	})
	listed := map[string]bool{}
	log, err := store.Redis.SlowLogGet(t.Context(), -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	for i := range log { // newest first
		args := log[len(log)-1-i].Args
		switch strings.ToLower(args[0]) {
		case "zadd":
			for _, arg := range args[2:] {
				listed[arg] = true
			}
		case "set":
			if id := strings.TrimPrefix(args[1], "oauth:token:"); !listed[id] {
				t.Errorf("%s is kept before it is listed", id)
			}
		}
	}
	if len(listed) < 16 {
		t.Errorf("only %d entries seen", len(listed))
	}
}
