package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"chit/models"
)

// Store keeps access tokens in Redis. If Redis does not answer as it should, its methods return an error
// that wraps models.ErrUnavailable.
type Store struct {
	Redis  redis.UniversalClient
	Prefix string           // of new tokens
	Now    func() time.Time // clock for the times in tokens; their expiry in Redis uses the clock of Redis
	// Timeout is the timeout of a round trip; 0 means one second. A request may wait for the round trip in
	// flight and then for its own. So it gets an error after at most twice this time, or at its own
	// deadline.
	Timeout time.Duration
	// Apart turns batching off: every request makes its own round trip.
	Apart bool
	// OnBatch is called with the number of calls before each round trip; nil: it is not.
	OnBatch func(calls int)
	// Tracer starts a span for each round trip that serves a traced request; nil: there are no traces.
	Tracer trace.Tracer
	// Replicas must have a revocation before it is acknowledged, and a new token if OnIssue is set.
	Replicas Replicas

	once, onceConfirmed sync.Once
	batch, confirming   *batcher
	perPrimary          sync.Map // *batcher by address, in a Cluster
}

// batcher returns the batcher for the server that has the key. In a Cluster each primary has its own, so
// that a primary that hangs does not delay calls to the others.
func (s *Store) batcher(ctx context.Context, key string) (*batcher, error) {
	cluster, is := s.Redis.(*redis.ClusterClient)
	if !is {
		return s.only(), nil
	}
	primary, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, err
	}
	address := primary.Options().Addr
	known, found := s.perPrimary.Load(address)
	if !found {
		known, _ = s.perPrimary.LoadOrStore(address, s.newBatcher(0))
	}
	return known.(*batcher), nil
}

// only returns the batcher for all keys. There is none in a Cluster.
func (s *Store) only() *batcher {
	s.once.Do(func() { s.batch = s.newBatcher(0) })
	return s.batch
}

// Waiting returns the number of calls that wait for the next round trip.
func (s *Store) Waiting() (calls int) {
	batchers := []*batcher{s.only(), s.confirmer()}
	s.perPrimary.Range(func(_, b any) bool {
		batchers = append(batchers, b.(*batcher))
		return true
	})
	for _, b := range batchers {
		b.mu.Lock()
		calls += len(b.waiting)
		b.mu.Unlock()
	}
	return calls
}

// write sends a call about two keys. If a Cluster has the keys on different primaries, write makes one call
// to each, one after the other.
func (s *Store) write(ctx context.Context, of func(context.Context, string) (*batcher, error), whole *call, keys func() (first, second string)) error {
	if _, cluster := s.Redis.(*redis.ClusterClient); !cluster {
		b, err := of(ctx, "")
		if err != nil {
			return err
		}
		return b.do(ctx, whole)
	}
	firstKey, secondKey := keys()
	one, err := of(ctx, firstKey)
	if err != nil {
		return err
	}
	two, err := of(ctx, secondKey)
	if err != nil {
		return err
	}
	if one == two {
		return one.do(ctx, whole)
	}
	first, second := whole.split()
	if err := one.do(ctx, first); err != nil {
		return err
	}
	return two.do(ctx, second)
}

// newBatcher returns a batcher whose calls must be acknowledged by this many replicas.
func (s *Store) newBatcher(replicas int) *batcher {
	return &batcher{client: s.Redis, timeout: cmp.Or(s.Timeout, time.Second), apart: s.Apart, onSend: s.OnBatch, tracer: s.Tracer, replicas: replicas}
}

// Issue creates a token for the grant and stores it for the grant's TTL. If it returns no error, Redis has
// acknowledged the token.
func (s *Store) Issue(ctx context.Context, grant models.Grant) (string, models.AccessToken, error) {
	token := Mint(s.Prefix)
	now := s.Now().Truncate(time.Microsecond)
	issued := models.AccessToken{
		ID:        ID(token),
		ClientID:  grant.ClientID,
		Scope:     grant.Scope,
		Audience:  grant.Audience,
		Binding:   grant.Binding,
		IssuedAt:  now,
		ExpiresAt: now.Add(grant.TTL),
	}
	entry := indexEntry{
		clientID: issued.ClientID, id: issued.ID, ttl: grant.TTL,
		now: now.Unix(), expires: issued.ExpiresAt.Unix(),
	}
	set := redis.NewStatusCmd(ctx, "set", tokenKey(issued.ID), encode(issued), "px", grant.TTL.Milliseconds())
	// The index is written first. After a crash between the two writes, the index has an id without a
	// token, which a later trim removes. A token is never missing from its client's list.
	err := s.write(ctx, s.issuing, &call{entry: entry, commands: []redis.Cmder{set}}, func() (first, second string) {
		return indexKey(issued.ClientID), tokenKey(issued.ID)
	})
	if err != nil {
		return "", models.AccessToken{}, unavailable("issue token", err)
	}
	return token, issued, nil
}

// Find returns what is stored about a token. If Redis does not have the token, Find returns its ID with
// models.TokenUnknown. If the text does not have the form of a token, Find returns models.TokenMalformed
// without asking Redis. Both errors are models.ErrTokenNotFound.
func (s *Store) Find(ctx context.Context, token string) (models.AccessToken, error) {
	if !Recognise(token) {
		return models.AccessToken{}, models.TokenMalformed
	}
	return s.FindByID(ctx, ID(token))
}

// FindByID is like Find, but takes the token's id, its jti.
func (s *Store) FindByID(ctx context.Context, id string) (models.AccessToken, error) {
	get := call{key: tokenKey(id)}
	b, err := s.batcher(ctx, get.key)
	if err == nil {
		err = b.do(ctx, &get)
	}
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") {
		return models.AccessToken{ID: id}, models.TokenUnknown
	}
	if err != nil {
		return models.AccessToken{}, unavailable("find token", err)
	}
	return decode(id, get.value)
}

// Revoke deletes a token. If it returns no error, Redis has acknowledged the deletion. It is no error if
// the token was already gone.
func (s *Store) Revoke(ctx context.Context, token models.AccessToken) error {
	// The token is deleted first. After a crash between the two deletions, the index has an id without a
	// token.
	del := counting(ctx, "del", tokenKey(token.ID))
	zrem := counting(ctx, "zrem", indexKey(token.ClientID), token.ID)
	err := s.write(ctx, s.confirmed, &call{commands: []redis.Cmder{del, zrem}}, func() (first, second string) {
		return tokenKey(token.ID), indexKey(token.ClientID)
	})
	if err != nil {
		return unavailable("revoke token", err)
	}
	return nil
}

// Ping reports whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Redis.Ping(ctx).Err(); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

// Clock returns the time of the clock of Redis.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	now, err := s.Redis.Time(ctx).Result()
	if err != nil {
		return time.Time{}, unavailable("read the clock", err)
	}
	return now, nil
}

func unavailable(doing string, err error) error {
	if redis.HasErrorPrefix(err, "NOPERM") {
		err = fmt.Errorf("%w: %w", models.ErrNotPermitted, err)
	}
	return fmt.Errorf("redis: %s: %w: %w", doing, models.ErrUnavailable, err)
}

// KeyPrefix is what the keys of tokens begin with, before the id.
const KeyPrefix = "oauth:token:"

func tokenKey(id string) string { return KeyPrefix + id }
