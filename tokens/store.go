package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/models"
)

// Store keeps access tokens in Redis. Its methods return errors that wrap models.ErrUnavailable
// when Redis does not answer as it should, and mean nothing else then.
type Store struct {
	Redis  redis.UniversalClient
	Prefix string           // of new tokens
	Now    func() time.Time // instants in tokens are by this clock, lifetimes by that of Redis
	// Timeout bounds a round trip; 0 is a second. A request may wait for the one that is under way
	// and then for its own, so it learns within twice this time, or when its own deadline is over, that
	// Redis does not answer.
	Timeout time.Duration
	// Apart gives every request a round trip of its own. By default concurrent requests share one.
	Apart bool
	// Replicas must have a revocation, and maybe a new token, before it is acknowledged.
	Replicas Replicas

	once, onceConfirmed sync.Once
	batch, confirming   *batcher
	perPrimary          sync.Map // in a Cluster, of *batcher by address
}

// batcher returns the batcher of the server that has the key: in a Cluster each primary has its own, so
// that one which hangs delays no call to another.
func (s *Store) batcher(ctx context.Context, key string) (*batcher, error) {
	cluster, is := s.Redis.(*redis.ClusterClient)
	if !is {
		s.once.Do(func() { s.batch = s.newBatcher(0) })
		return s.batch, nil
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

// write makes a call about two keys. Where a Cluster has them on two primaries it makes a call about
// each, one after the other.
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

// newBatcher returns a batcher of calls that so many replicas must have.
func (s *Store) newBatcher(replicas int) *batcher {
	return &batcher{client: s.Redis, timeout: cmp.Or(s.Timeout, time.Second), apart: s.Apart, replicas: replicas}
}

// Issue mints a token for the grant and keeps it for the grant's TTL. When it returns without an
// error, Redis has acknowledged the token.
func (s *Store) Issue(ctx context.Context, grant models.Grant) (string, models.AccessToken, error) {
	token := Mint(s.Prefix)
	now := s.Now().Truncate(time.Microsecond)
	issued := models.AccessToken{
		ID:        ID(token),
		ClientID:  grant.ClientID,
		Scope:     grant.Scope,
		IssuedAt:  now,
		ExpiresAt: now.Add(grant.TTL),
	}
	entry := indexEntry{
		clientID: issued.ClientID, id: issued.ID, ttl: grant.TTL,
		now: now.Unix(), expires: issued.ExpiresAt.Unix(),
	}
	set := redis.NewStatusCmd(ctx, "set", tokenKey(issued.ID), encode(issued), "px", grant.TTL.Milliseconds())
	// The index goes first: a crash between the two leaves an id that leads nowhere and goes
	// with the next trimming, never a token that is missing from its client's list.
	err := s.write(ctx, s.issuing, &call{entry: entry, commands: []redis.Cmder{set}}, func() (first, second string) {
		return indexKey(issued.ClientID), tokenKey(issued.ID)
	})
	if err != nil {
		return "", models.AccessToken{}, unavailable("issue token", err)
	}
	return token, issued, nil
}

// Find returns what is kept of a token. It returns models.TokenUnknown and the token's ID for one that is not
// in Redis, whether it never was, has expired or was deleted. Text that has not the form of a token is
// models.TokenMalformed, and Redis is not asked. Both are models.ErrTokenNotFound.
func (s *Store) Find(ctx context.Context, token string) (models.AccessToken, error) {
	if !Recognise(token) {
		return models.AccessToken{}, models.TokenMalformed
	}
	return s.FindByID(ctx, ID(token))
}

// FindByID is Find for a token of which only the id, its jti, is at hand.
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

// Revoke ends a token. When it returns without an error, Redis has acknowledged that the token is
// gone; one that was gone already is no error.
func (s *Store) Revoke(ctx context.Context, token models.AccessToken) error {
	// The token goes first: what a crash between the two leaves in the index leads nowhere.
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

func unavailable(doing string, err error) error {
	return fmt.Errorf("redis: %s: %w: %w", doing, models.ErrUnavailable, err)
}

func tokenKey(id string) string { return "oauth:token:" + id }
