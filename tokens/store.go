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
	// and then for its own, so it learns within twice this time that Redis does not answer.
	Timeout time.Duration
	// Apart gives every request a round trip of its own. By default concurrent requests share one.
	Apart bool
	// Replicas must have a revocation, and maybe a new token, before it is acknowledged.
	Replicas Replicas

	once, onceConfirmed sync.Once
	batch, confirming   *batcher
}

func (s *Store) batcher() *batcher {
	s.once.Do(func() { s.batch = s.newBatcher(0) })
	return s.batch
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
	// The index goes first: a crash between the two leaves an id that leads nowhere and goes
	// with the next trimming, never a token that is missing from its client's list.
	err := s.issuing().do(ctx, &call{
		entry: indexEntry{
			clientID: issued.ClientID, id: issued.ID, ttl: grant.TTL,
			now: now.Unix(), expires: issued.ExpiresAt.Unix(),
		},
		commands: []redis.Cmder{redis.NewStatusCmd(ctx, "set", tokenKey(issued.ID), encode(issued), "px", grant.TTL.Milliseconds())},
	})
	if err != nil {
		return "", models.AccessToken{}, unavailable("issue token", err)
	}
	return token, issued, nil
}

// Find returns what is kept of a token. It returns models.ErrTokenNotFound for one that is not in
// Redis, whether it never was, has expired or was deleted; text that has not the form of a token
// is refused without asking.
func (s *Store) Find(ctx context.Context, token string) (models.AccessToken, error) {
	if !Recognise(token) {
		return models.AccessToken{}, models.ErrTokenNotFound
	}
	return s.FindByID(ctx, ID(token))
}

// FindByID is Find for a token of which only the id, its jti, is at hand.
func (s *Store) FindByID(ctx context.Context, id string) (models.AccessToken, error) {
	get := call{key: tokenKey(id)}
	err := s.batcher().do(ctx, &get)
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") {
		return models.AccessToken{}, models.ErrTokenNotFound
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
	err := s.confirmed().do(ctx, &call{commands: []redis.Cmder{
		redis.NewIntCmd(ctx, "del", tokenKey(token.ID)),
		redis.NewIntCmd(ctx, "zrem", indexKey(token.ClientID), token.ID),
	}})
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
