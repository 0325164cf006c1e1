package tokens

import (
	"context"
	"errors"
	"iter"

	"github.com/redis/go-redis/v9"

	"chit/models"
)

// IsID reports whether text has the form of a token's id: 64 lower-case hexadecimal digits.
func IsID(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) == 64
}

// List yields the tokens of a client that are in Redis, ordered by their expiry in seconds. It does not
// check whether they are in force: models.AccessToken.Active does. After an error it yields nothing more.
// List reads the index page by page. A token that is issued or removed meanwhile may be missing; every
// other token is yielded once.
func (s *Store) List(ctx context.Context, clientID string) iter.Seq2[models.AccessToken, error] {
	return func(yield func(models.AccessToken, error) bool) {
		for at := start; ; {
			ids, err := s.page(ctx, clientID, &at, pageSize)
			if err == nil && len(ids) == 0 {
				return
			}
			var found []models.AccessToken
			if err == nil {
				found, err = s.find(ctx, ids)
			}
			for _, token := range found {
				if !yield(token, nil) {
					return
				}
			}
			if err != nil {
				yield(models.AccessToken{}, err)
				return
			}
		}
	}
}

// find returns the tokens with these ids that are in Redis. It skips values that it cannot decode.
func (s *Store) find(ctx context.Context, ids []string) ([]models.AccessToken, error) {
	replies := make([]*redis.StringCmd, len(ids))
	_, whole := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			replies[i] = p.Get(ctx, tokenKey(id))
		}
		return nil
	})
	found := make([]models.AccessToken, 0, len(ids))
	for i, reply := range replies {
		err := failure(reply, whole)
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return found, unavailable("find tokens", err)
		}
		if token, err := decode(ids[i], reply.Val()); err == nil {
			found = append(found, token)
		}
	}
	return found, nil
}
