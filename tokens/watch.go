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

// watchInterval is how often Watch asks each Redis server for its state.
const watchInterval = time.Second

// noEviction is the maxmemory-policy with which Redis refuses writes when its memory is full. Every other
// policy deletes keys, including tokens.
const noEviction = "noeviction"

// serverState is the state of a Redis server.
type serverState struct {
	runID  string // changes with each start of the server
	keys   int64
	policy string // maxmemory-policy
}

// watcher compares the state of each server with the state a second before.
type watcher struct {
	log *slog.Logger

	mu    sync.Mutex // guards known, since the primaries of a Cluster are asked concurrently
	known map[string]serverState
}

// Watch logs when a Redis server has restarted, when it has lost its data, and when it may evict keys. It
// logs each once. In a Cluster it watches each primary. Watch returns when ctx ends.
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
		}) // a Cluster that does not answer has no state to compare
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

// tellRestart logs a restart. The data counts as lost if less than half of the keys remain, because some
// keys expire during a restart.
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
			n, _ := strconv.ParseInt(keys, 10, 64) // a value that is not a number counts as 0
			s.keys += n
		}
	}
	return s, s.runID != ""
}
