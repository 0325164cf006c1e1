package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Replicas says how many replicas of Redis must have a write before it is acknowledged. Redis answers
// before it replicates, so without this setting a failover can bring back a revoked token. The zero value
// does not wait.
type Replicas struct {
	Count   int
	OnIssue bool // wait for new tokens too, not only for revocations
}

// CanWait reports whether this Redis supports Replicas. A Cluster does not: WAIT has no key, so the client
// cannot send it on the connection that carried the write.
func CanWait(client redis.UniversalClient) bool {
	_, cluster := client.(*redis.ClusterClient)
	return !cluster
}

var errTooFewReplicas = errors.New("too few replicas have the write")

// replicatedKey is written before each WAIT. Since Redis 7.2, WAIT returns at once on a connection that has
// written nothing, and deleting a missing key writes nothing.
const replicatedKey = "oauth:replicated"

// replicatedTTL is the lifetime of that key. Nobody reads it.
const replicatedTTL = time.Minute

// confirmed returns the batcher for calls that replicas must acknowledge. It is separate from the other
// batchers, so that a slow replica does not delay introspections.
func (s *Store) confirmed(ctx context.Context, key string) (*batcher, error) {
	if s.Replicas.Count == 0 {
		return s.batcher(ctx, key)
	}
	return s.confirmer(), nil
}

func (s *Store) confirmer() *batcher {
	s.onceConfirmed.Do(func() { s.confirming = s.newBatcher(s.Replicas.Count) })
	return s.confirming
}

func (s *Store) issuing(ctx context.Context, key string) (*batcher, error) {
	if s.Replicas.OnIssue {
		return s.confirmed(ctx, key)
	}
	return s.batcher(ctx, key)
}

// Settle waits until the replicas have everything that Redis has. A token that is missing may have been
// revoked by a request that did not reach the replicas and is now repeated.
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

// await queues a WAIT after the commands of a batch. WAIT covers every write on the connection. After the
// round trip, confirm returns an error unless enough replicas have the writes.
func (b *batcher) await(ctx context.Context, p redis.Pipeliner) (confirm func(whole error) error) {
	if b.replicas == 0 {
		return func(error) error { return nil }
	}
	written := p.Set(ctx, replicatedKey, "1", replicatedTTL)
	have := counting(ctx, "wait", b.replicas, (b.timeout / 2).Milliseconds())
	_ = p.Process(ctx, have) // only queues it; the error is in the command
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
