package tokens

import (
	"context"
	"errors"
	"fmt"

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

// confirmed returns the batcher of calls that replicas must have. It is apart from the other: a replica
// that lags makes no introspection wait.
func (s *Store) confirmed() *batcher {
	if s.Replicas.Count == 0 {
		return s.batcher()
	}
	s.onceConfirmed.Do(func() { s.confirming = s.newBatcher(s.Replicas.Count) })
	return s.confirming
}

func (s *Store) issuing() *batcher {
	if s.Replicas.OnIssue {
		return s.confirmed()
	}
	return s.batcher()
}

// Settle waits until replicas have what Redis has: that a token is not there may be the work of a
// revocation which did not reach them and is now repeated.
func (s *Store) Settle(ctx context.Context) error {
	if s.Replicas.Count == 0 {
		return nil
	}
	if err := s.confirmed().do(ctx, &call{commands: []redis.Cmder{redis.NewStatusCmd(ctx, "ping")}}); err != nil {
		return unavailable("wait for replicas", err)
	}
	return nil
}

// await queues WAIT behind the commands of a batch: it counts for all that was sent on the connection.
// confirm says afterwards whether enough replicas have it.
func (b *batcher) await(ctx context.Context, p redis.Pipeliner) (confirm func() error) {
	if b.replicas == 0 {
		return func() error { return nil }
	}
	reply := redis.NewIntCmd(ctx, "wait", b.replicas, (b.timeout / 2).Milliseconds())
	_ = p.Process(ctx, reply) // only queues it
	return func() error {
		if err := reply.Err(); err != nil {
			return err
		}
		if have := reply.Val(); have < int64(b.replicas) {
			return fmt.Errorf("%w: %d of %d", errTooFewReplicas, have, b.replicas)
		}
		return nil
	}
}
