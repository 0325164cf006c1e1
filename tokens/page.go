package tokens

import (
	"context"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// pageSize is how many tokens one round trip is about. It bounds for how long Redis is kept from the
// requests of others, and what is held in memory.
const pageSize = 500

// position is a place in an index, whose order is by score and, within one, by the bytes of the id.
type position struct {
	score float64
	id    string
	rank  int // of the id among those of its score, when it was read
}

// start is before every id.
var start = position{score: math.Inf(-1), rank: -1}

// isBefore reports whether an entry comes after the position.
func (p position) isBefore(entry redis.Z) bool {
	return entry.Score > p.score || entry.Score == p.score && entry.Member.(string) > p.id
}

// page returns the next ids in a client's index, at most pageSize, and moves the position to the
// last of them; none are left when it returns none. An id that is there from the first page to the
// last is returned once, whatever is added and removed meanwhile.
func (s *Store) page(ctx context.Context, clientID string, at *position) (ids []string, err error) {
	for offset := max(0, at.rank); ; {
		entries, err := s.Redis.ZRangeByScoreWithScores(ctx, indexKey(clientID), &redis.ZRangeBy{
			Min: strconv.FormatFloat(at.score, 'f', -1, 64), Max: "+inf", Offset: int64(offset), Count: pageSize + 1,
		}).Result()
		if err != nil {
			return nil, unavailable("read the index", err)
		}
		// Ids have gone and ranks have shifted: what was passed over may never have been seen.
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
				offset = -i // where the ranks of its score begin
			}
			next = position{entry.Score, entry.Member.(string), offset + i}
			ids = append(ids, next.id)
		}
		if len(ids) > 0 || len(entries) <= pageSize {
			*at = next
			return ids, nil
		}
		offset += pageSize // one id is read again, to tell whether ranks have shifted
	}
}
