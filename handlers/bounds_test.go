package handlers_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
)

// away starts a server with a distant Redis: a round trip takes as long as its slowest command.
func away(t *testing.T, delay func(command string) time.Duration, flags ...string) *apptest.Server {
	t.Helper()
	redis := apptest.StartRedis(t)
	proxy := apptest.StartRedisProxy(t, redis.URL, func(x *apptest.Exchange) {
		time.Sleep(delay(x.Command[0]))
		apptest.Pass(x)
	})
	return register(apptest.On(t, apptest.Database(t), redis, append(flags, "--redis-url="+proxy.URL)...))
}

// However many guesses arrive at once, only as many as the limit allows learn that they are wrong. After
// that, the right secret is not confirmed either.
func TestBurstOfGuesses(t *testing.T) {
	s := away(t, func(command string) time.Duration {
		if command == "EXEC" {
			return 20 * time.Millisecond
		}
		return 0
	}, "--throttle-client=5")
	s.Token("bob", secret)
	var wrong, throttled atomic.Int64
	var wait sync.WaitGroup
	for i := range 150 {
		wait.Go(func() {
			guess := fmt.Sprint("guess", i)
			if i == 75 {
				guess = secret
			}
			switch answer := s.Post("/token", "alice", guess, tokenPlease); answer.Status {
			case 200: // it was processed before the limit was reached
			case 401:
				wrong.Add(1)
			case 429:
				throttled.Add(1)
			default:
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if wrong.Load() > 5 || throttled.Load() < 144 {
		t.Errorf("%d wrong, %d throttled", wrong.Load(), throttled.Load())
	}
}

// A request has one deadline, however many round trips it makes and however many requests are ahead of it.
func TestOneDeadlineARequest(t *testing.T) {
	var slow atomic.Bool
	s := away(t, func(command string) time.Duration {
		if slow.Load() && (command == "GET" || command == "MGET" || command == "DEL") {
			return 900 * time.Millisecond
		}
		return 0
	})
	const requests = 12
	tokens := make([]string, requests)
	for i := range tokens {
		tokens[i] = s.Token("alice", secret)
	}
	slow.Store(true)
	var wait sync.WaitGroup
	for i := range requests {
		wait.Go(func() {
			time.Sleep(time.Duration(i) * 100 * time.Millisecond)
			began := time.Now()
			answer := s.Post("/revoke", "alice", secret, "token="+tokens[i])
			if took := time.Since(began); took > 3*time.Second { // two, and one for a busy machine
				t.Errorf("%d after %v", answer.Status, took)
			}
		})
	}
	wait.Wait()
}

// Requests that fail have their own limits, so that requests that do not fail are served as before.
func TestStrangersTakeNoConnections(t *testing.T) {
	s := away(t, func(command string) time.Duration {
		if command == "GET" || command == "MGET" || command == "EXEC" {
			return 30 * time.Millisecond
		}
		return 0
	})
	token := s.Token("alice", secret)
	done := make(chan struct{})
	var strangers sync.WaitGroup
	var failed atomic.Int64
	for i := range 100 {
		strangers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				client := "alice"
				if i%2 == 0 {
					client = fmt.Sprint("made-up-", i, "-", n)
				}
				if answer := s.Post("/token", client, "wrong", tokenPlease); answer.Status == 401 {
					failed.Add(1)
				} else if answer.Status != 503 {
					t.Errorf("a stranger: %d %s", answer.Status, answer.Body)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	var slowest time.Duration
	for range 40 {
		began := time.Now()
		answer := s.Post("/introspect", "api", secret, "token="+token)
		slowest = max(slowest, time.Since(began))
		if answer.Status != 200 || !strings.HasPrefix(answer.Body, `{"active":true`) {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	close(done)
	strangers.Wait()
	t.Logf("%d strangers refused meanwhile, the slowest introspection took %v", failed.Load(), slowest)
	if failed.Load() == 0 {
		t.Error("no stranger was refused as one")
	}
}
