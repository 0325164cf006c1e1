package tokens

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// indexEntry is a token in its client's index. The zero value is no entry.
type indexEntry struct {
	clientID string
	id       string
	now      int64 // seconds
	expires  int64 // seconds
	ttl      time.Duration
}

// enter queues the index entries of the calls, with one set of commands for each client.
//
// An index expires with its last token, which is not always the newest one. PEXPIRE with NX sets the expiry
// of a new index, and with GT it only extends the expiry. These are plain commands and not a Lua script:
// running a script costs Redis more than the rest of a single request.
func (b *batcher) enter(ctx context.Context, p redis.Pipeliner, calls []*call) {
	perClient := make(map[string][]*call, 1)
	for _, c := range calls {
		if client := c.entry.clientID; client != "" {
			perClient[client] = append(perClient[client], c)
		}
	}
	for client, calls := range perClient {
		key := indexKey(client)
		var longest time.Duration
		add := make([]any, 2, 2+2*len(calls))
		add[0], add[1] = "zadd", key
		for _, c := range calls {
			add = append(add, c.entry.expires, c.entry.id)
			longest = max(longest, c.entry.ttl)
		}
		entered := []redis.Cmder{
			counting(ctx, add...),
			counting(ctx, "pexpire", key, longest.Milliseconds(), "NX"),
			counting(ctx, "pexpire", key, longest.Milliseconds(), "GT"),
		}
		if now := calls[0].entry.now; b.trims.due(client, now) {
			entered = append(entered, counting(ctx, "zremrangebyscore", key, "-inf", "("+strconv.FormatInt(now, 10)))
		}
		for _, command := range entered {
			_ = p.Process(ctx, command) // only queues it; the error is in the command
		}
		for _, c := range calls {
			c.entered = entered
		}
	}
}

// maxTrims is the highest number of clients in trims.
const maxTrims = 100_000

// trims records when each client's index was last trimmed of expired tokens. Once a second is enough.
type trims struct {
	mu   sync.Mutex
	last map[string]int64 // seconds, by client
}

func (t *trims) due(client string, now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last[client] == now {
		return false
	}
	if t.last == nil || len(t.last) >= maxTrims {
		t.last = map[string]int64{}
	}
	t.last[client] = now
	return true
}

func indexKey(clientID string) string { return "oauth:client:" + clientID + ":tokens" }
