package tokens

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// watchInterval is how often each Redis server is asked for its state.
const watchInterval = time.Second

// noEviction is the maxmemory-policy under which Redis refuses writes when its memory is full. Every other
// policy removes keys, and with them tokens.
const noEviction = "noeviction"

// serverState is what a Redis server says of itself.
type serverState struct {
	runID  string // another one after each start
	keys   int64
	policy string // maxmemory-policy
}

// watcher compares the states of servers with those of a second before.
type watcher struct {
	log *slog.Logger

	mu    sync.Mutex // guards known: the primaries of a Cluster are asked at the same time
	known map[string]serverState
}

// Watch logs, once each time, that a Redis server has restarted, whether it lost its data, and that it may
// evict keys, until ctx ends. In a Cluster it watches each primary.
func Watch(ctx context.Context, client redis.UniversalClient, log *slog.Logger) {
	w := &watcher{log: log, known: map[string]serverState{}}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		w.look(ctx, client)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *watcher) look(ctx context.Context, client redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	switch client := client.(type) {
	case *redis.Client:
		w.compare(ctx, client)
	case *redis.ClusterClient:
		_ = client.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
			w.compare(ctx, primary)
			return nil
		}) // a Cluster that is out of reach has no state
	}
}

// compare asks a server for its state and logs what has changed.
func (w *watcher) compare(ctx context.Context, server *redis.Client) {
	now, found := stateOf(ctx, server)
	if !found {
		return
	}
	address := server.Options().Addr
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.known[address]
	w.known[address] = now
	if known && now.runID != before.runID {
		w.tellRestart(before, now)
	}
	if now.policy != "" && now.policy != noEviction && now.policy != before.policy {
		w.log.Warn("Redis may evict tokens when its memory is full: set its maxmemory-policy to noeviction", "address", address, "policy", now.policy)
	}
}

// tellRestart calls the data lost when less than half of the keys are there: some expire while Redis is away.
func (w *watcher) tellRestart(before, after serverState) {
	if 2*after.keys < before.keys {
		w.log.Warn("Redis has restarted without its data: tokens that were issued before are inactive", "keys_before", before.keys, "keys_after", after.keys)
		return
	}
	w.log.Info("Redis has restarted, or another server has taken its place", "keys_before", before.keys, "keys_after", after.keys)
}

func stateOf(ctx context.Context, server *redis.Client) (s serverState, found bool) {
	info, err := server.Info(ctx, "server", "persistence", "memory", "keyspace").Result()
	if err != nil || !strings.Contains(info, "\nloading:0") {
		return serverState{}, false
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "run_id":
			s.runID = value
		case "maxmemory_policy":
			s.policy = value
		}
		if keys, isDatabase := strings.CutPrefix(value, "keys="); isDatabase {
			keys, _, _ = strings.Cut(keys, ",")
			n, _ := strconv.ParseInt(keys, 10, 64) // what is not a number counts for nothing
			s.keys += n
		}
	}
	return s, s.runID != ""
}
