package tokens

import (
	"context"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// pageSize is the number of tokens in one round trip. It limits how long other requests wait for Redis, and
// how much memory is used.
const pageSize = 500

// position is a place in an index. The order is by score, and by the bytes of the id for equal scores.
type position struct {
	score float64
	id    string
	rank  int // rank of the id among the ids with its score, when it was read
}

// start is the position before every id.
var start = position{score: math.Inf(-1), rank: -1}

// isBefore reports whether the entry comes after the position.
func (p position) isBefore(entry redis.Z) bool {
	return entry.Score > p.score || entry.Score == p.score && entry.Member.(string) > p.id
}

// page returns the next ids in a client's index, at most pageSize, and moves the position to the last of
// them. It returns no ids at the end of the index. An id that is in the index all the time is returned
// exactly once, even if other ids are added or removed meanwhile.
func (s *Store) page(ctx context.Context, clientID string, at *position) (ids []string, err error) {
	for offset := max(0, at.rank); ; {
		entries, err := s.Redis.ZRangeByScoreWithScores(ctx, indexKey(clientID), &redis.ZRangeBy{
			Min: strconv.FormatFloat(at.score, 'f', -1, 64), Max: "+inf", Offset: int64(offset), Count: pageSize + 1,
		}).Result()
		if err != nil {
			return nil, unavailable("read the index", err)
		}
		// Ids were removed and the ranks have shifted, so ids may have been skipped. Read again from the
		// first id with this score.
		if offset > 0 && (len(entries) == 0 || at.isBefore(entries[0])) {
			offset = 0
			continue
		}
		next := *at
		for i, entry := range entries {
			if len(ids) == pageSize || !at.isBefore(entry) {
				continue
			}
			if entry.Score > next.score {
				offset = -i // where the ranks of this score begin
			}
			next = position{entry.Score, entry.Member.(string), offset + i}
			ids = append(ids, next.id)
		}
		if len(ids) > 0 || len(entries) <= pageSize {
			*at = next
			return ids, nil
		}
		offset += pageSize // reads one id again, to detect that ranks have shifted
	}
}
