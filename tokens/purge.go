package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Purge removes the keys of a client's tokens that were issued at or before an instant, and returns
// how many. A token issued later stays. It ends nothing by itself that matters: the tokens must be
// inactive already, by tokens_revoked_before, and a token that the index lacks keeps its key until
// it expires. After each round trip progress, unless nil, is told how many of the index's ids are
// done. When ctx ends or Redis fails, what is removed is removed, and another call goes on.
func (s *Store) Purge(ctx context.Context, clientID string, issuedUpTo time.Time, progress func(done, total int)) (removed int, err error) {
	return s.purge(ctx, clientID, progress, func(ids []string) ([]string, error) {
		found, err := s.find(ctx, ids)
		var doomed []string
		for _, token := range found {
			if !token.IssuedAt.After(issuedUpTo) {
				doomed = append(doomed, token.ID)
			}
		}
		return doomed, err
	})
}

// PurgeAll is Purge for a client that does not exist any more: whatever its index leads to goes.
func (s *Store) PurgeAll(ctx context.Context, clientID string, progress func(done, total int)) (removed int, err error) {
	return s.purge(ctx, clientID, progress, func(ids []string) ([]string, error) { return ids, nil })
}

func (s *Store) purge(ctx context.Context, clientID string, progress func(done, total int), choose func(ids []string) ([]string, error)) (removed int, err error) {
	total, err := s.Redis.ZCard(ctx, indexKey(clientID)).Result()
	if err != nil {
		return 0, unavailable("read the index", err)
	}
	done := 0
	for at := start; ; {
		ids, err := s.page(ctx, clientID, &at)
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		doomed, chooseErr := choose(ids)
		gone, err := s.remove(context.WithoutCancel(ctx), clientID, doomed)
		removed += gone
		if err := errors.Join(chooseErr, err); err != nil {
			return removed, err
		}
		at.rank -= len(doomed) // or less, and then a few ids are read again
		done += len(ids)
		if progress != nil {
			progress(done, max(done, int(total)))
		}
	}
}

// remove removes tokens and their ids. It is not to be cancelled: an id whose key is gone would
// stay in the index until it expires, since from without it looks like that of a token which is
// being issued.
func (s *Store) remove(ctx context.Context, clientID string, ids []string) (removed int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	replies := make([]*redis.IntCmd, len(ids))
	_, whole := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			replies[i] = counting(ctx, "unlink", tokenKey(id))
			_ = p.Process(ctx, replies[i]) // only queues it
		}
		return nil
	})
	var acknowledged []any
	for i, reply := range replies {
		if failed := failure(reply, whole); failed != nil {
			err = failed
			continue
		}
		acknowledged = append(acknowledged, ids[i])
		removed += int(reply.Val())
	}
	// In a round trip of its own: in a Cluster the index is on another node than most tokens.
	if len(acknowledged) > 0 {
		err = errors.Join(err, s.Redis.ZRem(ctx, indexKey(clientID), acknowledged...).Err())
	}
	if err != nil {
		return removed, unavailable("remove tokens", err)
	}
	return removed, nil
}
