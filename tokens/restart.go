package tokens

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// lifeInterval is how often Redis is asked which life it lives.
const lifeInterval = time.Second

// life is one run of a Redis server.
type life struct {
	id   string
	keys int64
}

// WatchRestarts says in the log, once each time, that Redis has begun a new life, and whether it lost
// its data, until ctx ends. In a Cluster, where each node has lives of its own, it does nothing.
func WatchRestarts(ctx context.Context, client redis.UniversalClient, log *slog.Logger) {
	if _, cluster := client.(*redis.ClusterClient); cluster {
		return
	}
	var known life
	ticker := time.NewTicker(lifeInterval)
	defer ticker.Stop()
	for {
		if now, found := lifeOf(ctx, client); found {
			if known.id != "" && now.id != known.id {
				tell(log, known, now)
			}
			known = now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tell calls the data lost when less than half of the keys are there: some expire while Redis is away.
func tell(log *slog.Logger, before, after life) {
	if 2*after.keys < before.keys {
		log.Warn("Redis has restarted without its data: tokens that were issued before are inactive", "keys_before", before.keys, "keys_after", after.keys)
		return
	}
	log.Info("Redis has restarted, or another server has taken its place", "keys_before", before.keys, "keys_after", after.keys)
}

func lifeOf(ctx context.Context, client redis.UniversalClient) (l life, found bool) {
	ctx, cancel := context.WithTimeout(ctx, lifeInterval)
	defer cancel()
	info, err := client.Info(ctx, "server", "persistence", "keyspace").Result()
	if err != nil || !strings.Contains(info, "\nloading:0") {
		return life{}, false
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "run_id" {
			l.id = value
		}
		if keys, isDatabase := strings.CutPrefix(value, "keys="); isDatabase {
			keys, _, _ = strings.Cut(keys, ",")
			n, _ := strconv.ParseInt(keys, 10, 64) // what is not a number counts for nothing
			l.keys += n
		}
	}
	return l, l.id != ""
}
