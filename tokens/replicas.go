package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Replicas says how many replicas of Redis must have a write before it counts as acknowledged. Redis
// replicates after it has answered: without this, a failover can bring a revoked token back to life.
// The zero value does not wait.
type Replicas struct {
	Count   int
	OnIssue bool // for new tokens too, not for revocations alone
}

// CanWait reports whether Replicas can be asked of the Redis behind client. In a Cluster they cannot:
// WAIT names no key, so nothing leads it to the node and the connection that took the write.
func CanWait(client redis.UniversalClient) bool {
	_, cluster := client.(*redis.ClusterClient)
	return !cluster
}

var errTooFewReplicas = errors.New("too few replicas have the write")

// replicatedKey is written ahead of each WAIT. Since Redis 7.2 WAIT returns at once on a connection that
// has written nothing, and a DEL of a key that is not there writes nothing.
const replicatedKey = "oauth:replicated"

// replicatedTTL is how long the key is kept. It is of no use afterwards.
const replicatedTTL = time.Minute

// confirmed returns the batcher of calls that replicas must have. It is apart from the others: a replica
// that lags makes no introspection wait.
func (s *Store) confirmed(ctx context.Context, key string) (*batcher, error) {
	if s.Replicas.Count == 0 {
		return s.batcher(ctx, key)
	}
	s.onceConfirmed.Do(func() { s.confirming = s.newBatcher(s.Replicas.Count) })
	return s.confirming, nil
}

func (s *Store) issuing(ctx context.Context, key string) (*batcher, error) {
	if s.Replicas.OnIssue {
		return s.confirmed(ctx, key)
	}
	return s.batcher(ctx, key)
}

// Settle waits until replicas have what Redis has: that a token is not there may be the work of a
// revocation which did not reach them and is now repeated.
func (s *Store) Settle(ctx context.Context) error {
	if s.Replicas.Count == 0 {
		return nil
	}
	b, err := s.confirmed(ctx, replicatedKey)
	if err == nil {
		err = b.do(ctx, &call{})
	}
	if err != nil {
		return unavailable("wait for replicas", err)
	}
	return nil
}

// await queues WAIT behind the commands of a batch: it counts for all that was written on the
// connection. confirm says afterwards whether enough replicas have it.
func (b *batcher) await(ctx context.Context, p redis.Pipeliner) (confirm func(whole error) error) {
	if b.replicas == 0 {
		return func(error) error { return nil }
	}
	written := p.Set(ctx, replicatedKey, "1", replicatedTTL)
	have := counting(ctx, "wait", b.replicas, (b.timeout / 2).Milliseconds())
	_ = p.Process(ctx, have) // only queues it
	return func(whole error) error {
		if err := errors.Join(failure(written, whole), failure(have, whole)); err != nil {
			return err
		}
		if have.Val() < int64(b.replicas) {
			return fmt.Errorf("%w: %d of %d", errTooFewReplicas, have.Val(), b.replicas)
		}
		return nil
	}
}
