package tokens

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// indexEntry is a token in its client's index. The zero value is none.
type indexEntry struct {
	clientID string
	id       string
	now      int64 // seconds
	expires  int64 // seconds
	ttl      time.Duration
}

// indexScript adds tokens to their client's index, removes those that have expired, and lets the
// index live as long as its last token, also when that is not the newest. It is a script so that no
// crash leaves an index that never expires. Its arguments: the seconds now, the milliseconds that
// the last of the tokens lives, then score and member of each.
const indexScript = `redis.call('ZADD',KEYS[1],unpack(ARGV,3))
redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf','('..ARGV[1])
if redis.call('PTTL',KEYS[1])<tonumber(ARGV[2]) then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end
return 1`

// enter queues the entries of the calls: one command a client, however many tokens it has got.
func enter(ctx context.Context, p redis.Pipeliner, calls []*call) {
	perClient := make(map[string][]*call, 1)
	for _, c := range calls {
		if client := c.entry.clientID; client != "" {
			perClient[client] = append(perClient[client], c)
		}
	}
	for client, calls := range perClient {
		var longest time.Duration
		arguments := make([]any, 2, 2+2*len(calls))
		for _, c := range calls {
			arguments = append(arguments, c.entry.expires, c.entry.id)
			longest = max(longest, c.entry.ttl)
		}
		arguments[0], arguments[1] = calls[0].entry.now, longest.Milliseconds()
		entered := p.Eval(ctx, indexScript, []string{indexKey(client)}, arguments...)
		for _, c := range calls {
			c.entered = entered
		}
	}
}

func indexKey(clientID string) string { return "oauth:client:" + clientID + ":tokens" }
