package tokens

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"chit/models"

	"github.com/redis/go-redis/v9"
)

// pageSize is the number of tokens in one round trip. It limits how long other requests wait for Redis, and
// how much memory is used.
const pageSize = 500

// position is a place in an index. The order is by score, and by the bytes of the id for equal scores.
type position struct {
	score      float64
	id         string
	rank       int // rank of the id among the ids with its score, when it was read
	descending bool
}

// The positions before every id, in the two orders.
var (
	start  = position{score: math.Inf(-1), rank: -1}
	newest = position{score: math.Inf(1), rank: -1, descending: true}
)

// isBefore reports whether the entry comes after the position.
func (p position) isBefore(entry redis.Z) bool {
	if p.descending {
		return entry.Score < p.score || entry.Score == p.score && entry.Member.(string) < p.id
	}
	return entry.Score > p.score || entry.Score == p.score && entry.Member.(string) > p.id
}

// read returns entries from the first one with the position's score on, after skipping offset of them.
func (s *Store) read(ctx context.Context, clientID string, at position, offset, count int) ([]redis.Z, error) {
	from := strconv.FormatFloat(at.score, 'f', -1, 64)
	if at.descending {
		return s.Redis.ZRevRangeByScoreWithScores(ctx, indexKey(clientID), &redis.ZRangeBy{
			Min: "-inf", Max: from, Offset: int64(offset), Count: int64(count),
		}).Result()
	}
	return s.Redis.ZRangeByScoreWithScores(ctx, indexKey(clientID), &redis.ZRangeBy{
		Min: from, Max: "+inf", Offset: int64(offset), Count: int64(count),
	}).Result()
}

// page returns the next ids in a client's index, at most most, and moves the position to the last of
// them. It returns no ids at the end of the index. An id that is in the index all the time is returned
// exactly once, even if other ids are added or removed meanwhile.
func (s *Store) page(ctx context.Context, clientID string, at *position, most int) (ids []string, err error) {
	for offset := max(0, at.rank); ; {
		entries, err := s.read(ctx, clientID, *at, offset, most+1)
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
			if len(ids) == most || !at.isBefore(entry) {
				continue
			}
			if entry.Score != next.score {
				offset = -i // where the ranks of this score begin
			}
			next = position{entry.Score, entry.Member.(string), offset + i, at.descending}
			ids = append(ids, next.id)
		}
		if len(ids) > 0 || len(entries) <= most {
			*at = next
			return ids, nil
		}
		offset += most // reads one id again, to detect that ranks have shifted
	}
}

// MaxPage is the highest number of tokens in a Page.
const MaxPage = pageSize

// ErrCursor is the error for a cursor that is not from Page.
var ErrCursor = errors.New("not a cursor")

// Page returns some tokens of a client that are in Redis, at most limit. Those that expire last come first. If
// all tokens of the client have one lifetime, these are the newest. after is the empty text for the first page,
// and then the cursor next of the page before. next is empty after the last page. A page may have fewer tokens
// than limit, or none, although it is not the last one. Page returns ErrCursor for a wrong cursor.
func (s *Store) Page(ctx context.Context, clientID, after string, limit int) (found []models.AccessToken, next string, err error) {
	at := newest
	if after != "" {
		if at, err = parsePosition(after); err != nil {
			return nil, "", err
		}
	}
	ids, err := s.page(ctx, clientID, &at, min(limit, MaxPage))
	if err != nil || len(ids) == 0 {
		return nil, "", err
	}
	if found, err = s.find(ctx, ids); err != nil {
		return nil, "", err
	}
	return found, at.String(), nil
}

// String returns the position as a cursor.
func (p position) String() string {
	return strconv.FormatFloat(p.score, 'f', -1, 64) + "." + strconv.Itoa(p.rank) + "." + p.id
}

func parsePosition(cursor string) (position, error) {
	parts := strings.Split(cursor, ".")
	if len(parts) != 3 || !IsID(parts[2]) {
		return position{}, ErrCursor
	}
	score, scoreErr := strconv.ParseUint(parts[0], 10, 53)
	rank, rankErr := strconv.ParseUint(parts[1], 10, 31)
	if scoreErr != nil || rankErr != nil {
		return position{}, ErrCursor
	}
	return position{float64(score), parts[2], int(rank), true}, nil
}
