package tokens_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// once is part of the conformance suite: one caller is the first, until the lifetime is over.
func (s suite) once(t *testing.T) {
	id := "once " + strings.Repeat("x", 10_000)
	var first, later atomic.Int64
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			switch is, err := s.Store.Once(t.Context(), id, 300*time.Millisecond); {
			case err != nil:
				t.Error(err)
			case is:
				first.Add(1)
			default:
				later.Add(1)
			}
		})
	}
	running.Wait()
	if first.Load() != 1 || later.Load() != 49 {
		t.Errorf("%d first, %d later", first.Load(), later.Load())
	}
	if is, err := s.Store.Once(t.Context(), id+"y", time.Minute); !is || err != nil {
		t.Errorf("another statement: %t, %v", is, err)
	}
	s.pass(400 * time.Millisecond)
	if is, err := s.Store.Once(t.Context(), id, time.Minute); !is || err != nil {
		t.Errorf("after its lifetime: %t, %v", is, err)
	}
}

// A Redis that does not answer, or answers with something else, does not say that a statement is new.
func TestOnceWithoutRedis(t *testing.T) {
	server := apptest.StartRedis(t)
	store := storeAt(t, server.URL)
	server.CLI("ACL", "SETUSER", "default", "-set")
	if first, err := store.Once(t.Context(), "a", time.Minute); first || !errors.Is(err, models.ErrNotPermitted) {
		t.Errorf("without the privilege: %t, %v", first, err)
	}
	server.Stop()
	if first, err := store.Once(t.Context(), "a", time.Minute); first || !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("stopped: %t, %v", first, err)
	}
}

// No other reply than that of a Redis that has the record says that a statement is new.
func TestOnceWithRubbish(t *testing.T) {
	server := apptest.StartRedis(t)
	for _, reply := range []string{"+OK\r\n", ":1\r\n", "$0\r\n\r\n", "*1\r\n$1\r\na\r\n", "-ERR no\r\n", "rubbish\r\n"} {
		proxied := storeAt(t, apptest.StartRedisProxy(t, server.URL, func(x *apptest.Exchange) {
			if x.Command[0] == "HELLO" {
				apptest.Pass(x)
				return
			}
			x.Reply([]byte(reply))
		}).URL)
		if first, err := proxied.Once(t.Context(), "a", time.Minute); first {
			t.Errorf("%q: %t, %v", reply, first, err)
		}
	}
}

// If the reply of Redis is lost, go-redis sends the record again. The statement is still new.
func TestOnceAfterALostReply(t *testing.T) {
	server := apptest.StartRedis(t)
	var lost atomic.Int64
	proxied := storeAt(t, apptest.StartRedisProxy(t, server.URL, func(x *apptest.Exchange) {
		if strings.EqualFold(x.Command[0], "SET") && lost.Add(1) == 1 {
			x.Forward()
			x.Cut()
			return
		}
		apptest.Pass(x)
	}).URL)
	if first, err := proxied.Once(t.Context(), "a", time.Minute); !first || err != nil || lost.Load() != 2 {
		t.Errorf("%t, %v, sent %d times", first, err, lost.Load())
	}
	if first, err := proxied.Once(t.Context(), "a", time.Minute); first || err != nil {
		t.Errorf("again: %t, %v", first, err)
	}
}
