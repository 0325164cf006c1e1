package app

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"chit/tokens"
)

// clockTick is how often the clock of the embedded Redis is advanced. A key may expire this much late.
const clockTick = 50 * time.Millisecond

// embeddedRedis is an in-process Redis on a free loopback port, which redis-cli can use.
type embeddedRedis struct {
	*miniredis.Miniredis
	done, stopped chan struct{}

	mu      sync.Mutex           // guards asked
	asked   map[string]time.Time // when keys of tokens that were read expire
	changed chan struct{}        // has a value if a command may have deleted keys
}

// startRedis starts an embedded Redis.
func startRedis() (*embeddedRedis, error) {
	r := &embeddedRedis{
		Miniredis: miniredis.NewMiniRedis(),
		done:      make(chan struct{}),
		stopped:   make(chan struct{}),
		asked:     map[string]time.Time{},
		changed:   make(chan struct{}, 1),
	}
	if err := r.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	go r.runClock()
	return r, nil
}

// runClock advances the clock, because miniredis never expires keys by itself.
func (r *embeddedRedis) runClock() {
	defer close(r.stopped)
	last := time.Now()
	timer := time.NewTimer(clockTick)
	for {
		select {
		case <-r.done:
			return
		case now := <-timer.C:
			r.FastForward(now.Sub(last))
			last = now
			// The time to advance grows with the number of keys. It is limited to a tenth of a core.
			timer.Reset(max(clockTick, 10*time.Since(now)))
		}
	}
}

// stop ends the server.
func (r *embeddedRedis) stop() error {
	close(r.done)
	<-r.stopped
	r.Close()
	return nil
}

// maxAsked limits the memory of keys that were read.
const maxAsked = 100_000

// deleting are the commands that can delete a key of a token. Those that only make it expire are not among
// them, as with keyspace events.
var deleting = []string{"DEL", "UNLINK", "GETDEL", "FLUSHALL", "FLUSHDB", "RENAME", "RENAMENX", "MOVE", "SWAPDB", "EXEC", "EVAL", "EVALSHA"}

// checks are the times after a command at which listen looks for deleted keys. The server is told of a
// command before it runs.
var checks = []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond}

// watch makes the server note which keys of tokens are read and when keys may have been deleted. miniredis
// has neither keyspace events nor client tracking. unwatch ends that.
func (r *embeddedRedis) watch() (unwatch func()) {
	r.Server().SetPreHook(func(_ *server.Peer, command string, args ...string) (done bool) {
		switch {
		case command == "GET" || command == "MGET":
			r.note(args)
		case strings.Contains(command, "EXPIRE") && len(args) > 0:
			r.drop(args[0])
		case slices.Contains(deleting, command):
			r.checkSoon()
		}
		return false
	})
	return func() { r.Server().SetPreHook(nil) }
}

// listen reports tokens whose keys are deleted after watch, until ctx ends.
func (r *embeddedRedis) listen(ctx context.Context, observer tokens.Observer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
		}
		for _, wait := range checks {
			time.Sleep(wait)
			r.check(observer)
		}
	}
}

func (r *embeddedRedis) checkSoon() {
	select {
	case r.changed <- struct{}{}:
	default: // a check is due already
	}
}

// note remembers keys of tokens that exist.
func (r *embeddedRedis) note(keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range keys {
		if ttl := r.TTL(key); ttl > 0 && strings.HasPrefix(key, tokens.KeyPrefix) {
			r.asked[key] = time.Now().Add(ttl)
		}
	}
	if len(r.asked) > maxAsked {
		r.checkSoon()
	}
}

// drop forgets a key whose expiry is changed.
func (r *embeddedRedis) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.asked, key)
}

// check reports the tokens whose keys are gone. The expiry of a token is not reported.
func (r *embeddedRedis) check(observer tokens.Observer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, expires := range r.asked {
		if r.Exists(key) {
			continue
		}
		delete(r.asked, key)
		if time.Until(expires) > 2*clockTick {
			observer.TokenEnded(strings.TrimPrefix(key, tokens.KeyPrefix))
		}
	}
	if len(r.asked) > maxAsked {
		clear(r.asked)
		observer.AllChanged()
	}
}
