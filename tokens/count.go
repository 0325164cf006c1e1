package tokens

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// countBatch is the number of clients in one round trip of Count.
const countBatch = 1000

// Count returns for each client how many of its tokens have not expired. It reads the index alone: tokens whose
// keys an operator has deleted in Redis still count until the index is trimmed.
func (s *Store) Count(ctx context.Context, clientIDs ...string) (map[string]int64, error) {
	counts := make(map[string]int64, len(clientIDs))
	later := "(" + strconv.FormatInt(s.Now().Unix(), 10)
	for len(clientIDs) > 0 {
		batch := clientIDs[:min(countBatch, len(clientIDs))]
		clientIDs = clientIDs[len(batch):]
		replies := make([]*redis.IntCmd, len(batch))
		_, whole := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range batch {
				replies[i] = p.ZCount(ctx, indexKey(id), later, "+inf")
			}
			return nil
		})
		for i, reply := range replies {
			if err := failure(reply, whole); err != nil {
				return nil, unavailable("count tokens", err)
			}
			counts[batch[i]] = reply.Val()
		}
	}
	return counts, nil
}
