package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// OncePrefix is what the keys of used statements begin with.
const OncePrefix = "oauth:once:"

// Once records that a signed statement was used, such as a client assertion. It reports true to one caller, of
// all nodes together, and false to any other until the lifetime is over. id identifies the statement and may
// be of any length. If Redis does not acknowledge the record, Once returns an error that wraps
// models.ErrUnavailable; the statement may count as used then.
func (s *Store) Once(ctx context.Context, id string, lifetime time.Duration) (first bool, err error) {
	digest := sha256.Sum256([]byte(id))
	key := OncePrefix + hex.EncodeToString(digest[:])
	// go-redis may send a command again whose reply was lost. Then the reply is this caller's own value.
	own := rand.Text()
	set := redis.NewStringCmd(ctx, "set", key, own, "nx", "get", "px", max(1, lifetime.Milliseconds()))
	b, err := s.issuing(ctx, key)
	if err == nil {
		err = b.do(ctx, &call{commands: []redis.Cmder{set}})
	}
	switch {
	case errors.Is(err, redis.Nil):
		return true, nil
	case err != nil:
		return false, unavailable("record a used statement", err)
	}
	return set.Val() == own, nil
}
