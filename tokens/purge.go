package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Purge deletes the keys of a client's tokens that were issued at or before a given time. It returns the
// number of deleted keys. Tokens that were issued later stay. The caller must make the tokens inactive
// first, by tokens_revoked_before: Purge only frees memory, and it does not find a token that is missing
// from the index.
//
// After each round trip Purge calls progress, unless it is nil, with the number of ids that are done. If
// ctx is cancelled or Redis fails, some keys remain. Another call deletes them.
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

// PurgeAll deletes the keys of all tokens of a client that no longer exists.
func (s *Store) PurgeAll(ctx context.Context, clientID string, progress func(done, total int)) (removed int, err error) {
	return s.purge(ctx, clientID, progress, func(ids []string) ([]string, error) { return ids, nil })
}

func (s *Store) purge(ctx context.Context, clientID string, progress func(done, total int), choose func(ids []string) ([]string, error)) (removed int, err error) {
	total, err := s.Redis.ZCard(ctx, indexKey(clientID)).Result()
	if err != nil {
		return 0, unavailable("read the index", err)
	}
	done := 0
	expired := reclaimer{redis: s.Redis}
	defer func() { expired.finish(ctx) }()
	for at := start; ; {
		ids, err := s.page(ctx, clientID, &at, pageSize)
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		doomed, chooseErr := choose(ids)
		gone, err := s.remove(context.WithoutCancel(ctx), clientID, doomed)
		removed += gone
		expired.add(ctx, doomed)
		if err := errors.Join(chooseErr, err); err != nil {
			return removed, err
		}
		at.rank -= len(doomed) // or fewer, and then a few ids are read again
		done += len(ids)
		if progress != nil {
			progress(done, max(done, int(total)))
		}
	}
}

// remove lets tokens expire and then deletes their ids in the index. Resource servers are told of each key
// that is deleted, but not of those that expire. These tokens are inactive already, and there may be a
// million of them.
//
// The caller must not cancel its context between the two. An id without a key would remain in the index
// until it expires, because it looks like the id of a token that is being issued.
func (s *Store) remove(ctx context.Context, clientID string, ids []string) (removed int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	replies := make([]*redis.IntCmd, len(ids))
	_, whole := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			replies[i] = counting(ctx, "pexpire", tokenKey(id), expiry.Milliseconds())
			_ = p.Process(ctx, replies[i]) // only queues it; the error is in the command
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
	// This takes another round trip, because in a Cluster the index and the tokens are on different nodes.
	if len(acknowledged) > 0 {
		err = errors.Join(err, s.Redis.ZRem(ctx, indexKey(clientID), acknowledged...).Err())
	}
	if err != nil {
		return removed, unavailable("remove tokens", err)
	}
	return removed, nil
}
