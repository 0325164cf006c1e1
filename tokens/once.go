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

// OncePrefix is what the keys of used statements, and of texts that nodes agree on, begin with.
const OncePrefix = "oauth:once:"

// Once records that a signed statement was used, such as a client assertion. It reports true to one caller, of
// all nodes together, and false to any other until the lifetime is over. id identifies the statement and may
// be of any length. If Redis does not acknowledge the record, Once returns an error that wraps
// models.ErrUnavailable; the statement may count as used then.
func (s *Store) Once(ctx context.Context, id string, lifetime time.Duration) (first bool, err error) {
	// go-redis may send a command again whose reply was lost. Then the reply is this caller's own text.
	own := rand.Text()
	text, err := s.propose(ctx, id, own, lifetime)
	if err != nil {
		return false, unavailable("record a used statement", err)
	}
	return text == own, nil
}

// Agree returns a random text of 26 letters and digits. All nodes get the same one for an id, until the lifetime is
// over. Errors wrap models.ErrUnavailable.
func (s *Store) Agree(ctx context.Context, id string, lifetime time.Duration) (text string, err error) {
	if text, err = s.propose(ctx, id, rand.Text(), lifetime); err != nil {
		return "", unavailable("agree on a text", err)
	}
	return text, nil
}

// propose stores a text for an id unless there is one already, and returns the one that is stored then.
func (s *Store) propose(ctx context.Context, id, text string, lifetime time.Duration) (stored string, err error) {
	digest := sha256.Sum256([]byte(id))
	key := OncePrefix + hex.EncodeToString(digest[:])
	set := redis.NewStringCmd(ctx, "set", key, text, "nx", "get", "px", max(1, lifetime.Milliseconds()))
	b, err := s.issuing(ctx, key)
	if err == nil {
		err = b.do(ctx, &call{commands: []redis.Cmder{set}})
	}
	switch {
	case errors.Is(err, redis.Nil):
		return text, nil
	case err != nil:
		return "", err
	}
	return set.Val(), nil
}
