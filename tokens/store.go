package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
}

// record is the value of a token's key. Operators read it, so it uses the words of introspection.
type record struct {
	ClientID string `json:"client_id"`
	Scope    string `json:"scope,omitempty"`
	IssuedAt int64  `json:"iat"` // seconds
	Expires  int64  `json:"exp"` // seconds
	// IssuedMicros is iat with the resolution of an SQL timestamp, microseconds: a token issued
	// right after tokens_revoked_before must not be caught by it.
	IssuedMicros int64 `json:"iat_us"`
}

// indexScript adds a token to its client's index, trims the index of what has expired, and lets it
// live as long as its last token, also when that is not the newest one. It is a script so that no
// crash leaves an index that never expires.
const indexScript = `
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1`

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
	value, err := json.Marshal(record{
		ClientID:     issued.ClientID,
		Scope:        issued.Scope,
		IssuedAt:     issued.IssuedAt.Unix(),
		Expires:      issued.ExpiresAt.Unix(),
		IssuedMicros: issued.IssuedAt.UnixMicro(),
	})
	if err != nil {
		return "", models.AccessToken{}, fmt.Errorf("encode token record: %w", err)
	}
	// The index goes first: a crash between the two leaves an id that leads nowhere and goes
	// with the next trimming, never a token that is missing from its client's list.
	_, err = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Eval(ctx, indexScript, []string{indexKey(issued.ClientID)},
			issued.ExpiresAt.Unix(), issued.ID, now.Unix(), grant.TTL.Milliseconds())
		p.Set(ctx, tokenKey(issued.ID), value, grant.TTL)
		return nil
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
	id := ID(token)
	value, err := s.Redis.Get(ctx, tokenKey(id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return models.AccessToken{}, models.ErrTokenNotFound
	}
	if err != nil {
		return models.AccessToken{}, unavailable("find token", err)
	}
	var kept record
	if err := json.Unmarshal(value, &kept); err != nil {
		return models.AccessToken{}, fmt.Errorf("the value of %s is not a token's: %w", tokenKey(id), err)
	}
	issuedAt := time.UnixMicro(kept.IssuedMicros)
	return models.AccessToken{
		ID:        id,
		ClientID:  kept.ClientID,
		Scope:     kept.Scope,
		IssuedAt:  issuedAt,
		ExpiresAt: issuedAt.Add(time.Duration(kept.Expires-kept.IssuedAt) * time.Second),
	}, nil
}

// Revoke ends a token. When it returns without an error, Redis has acknowledged that the token is
// gone; one that was gone already is no error.
func (s *Store) Revoke(ctx context.Context, token models.AccessToken) error {
	// The token goes first: what a crash between the two leaves in the index leads nowhere.
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, tokenKey(token.ID))
		p.ZRem(ctx, indexKey(token.ClientID), token.ID)
		return nil
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

func indexKey(clientID string) string { return "oauth:client:" + clientID + ":tokens" }
