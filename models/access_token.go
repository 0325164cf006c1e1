package models

import "time"

// AccessToken is what the server stores about an issued token. The token itself is not stored.
type AccessToken struct {
	ID       string // lower-case hex SHA-256 of the token; called jti in introspection and in the log
	ClientID string
	Scope    string // granted scopes, separated by one space; empty if there are none
	Audience Audience
	Binding
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// registrationSlack is how much older than its client's row a token may be. It allows for clocks of servers
// and of the database that differ.
const registrationSlack = time.Minute

// Inactive is the error for a token that is not in force. Its text is the reason as the log has it. Every
// Inactive is also an ErrTokenNotFound, because the caller is not told the reason.
type Inactive string

// The reasons why a token is inactive.
const (
	TokenMalformed    Inactive = "malformed"           // the text does not have the form of a token
	TokenUnknown      Inactive = "unknown"             // Redis has no such key: the token has expired, was revoked, or was never issued
	TokenExpired      Inactive = "expired"             // the lifetime is over, but Redis still has the key
	TokenRevoked      Inactive = "revoked"             // the token was issued at or before tokens_revoked_before
	TokenOfFormer     Inactive = "former_registration" // the token was issued to an earlier client with the same id
	TokenOfDisabled   Inactive = "client_disabled"
	TokenOfUnknown    Inactive = "client_unknown" // the client no longer exists
	TokenNotForCaller Inactive = "not_for_caller" // the caller is not allowed to see the token: see Client.CanSee
	TokenBound        Inactive = "bound"          // the token is bound, and was shown as a bearer token
)

func (r Inactive) Error() string { return "the token is inactive: " + string(r) }

// Is reports true for ErrTokenNotFound.
func (r Inactive) Is(target error) bool { return target == ErrTokenNotFound }

// Check returns nil if the token is in force at the time now, and an Inactive otherwise. A token is in
// force if it has not expired, its client is enabled, it was issued after the client's
// tokens_revoked_before, and it was issued to the present registration of the client. A nil issuer means
// that the client no longer exists. If a client with the same id is registered later, old tokens stay
// inactive.
func (t AccessToken) Check(issuer *Client, now time.Time) error {
	switch {
	case issuer == nil || issuer.ClientID != t.ClientID:
		return TokenOfUnknown
	case issuer.Disabled():
		return TokenOfDisabled
	case !now.Before(t.ExpiresAt):
		return TokenExpired
	case issuer.TokensRevokedBefore != nil && !t.IssuedAt.After(*issuer.TokensRevokedBefore):
		return TokenRevoked
	case issuer.CreatedAt.Sub(t.IssuedAt) >= registrationSlack:
		return TokenOfFormer
	}
	return nil
}

// Active reports whether Check returns nil.
func (t AccessToken) Active(issuer *Client, now time.Time) bool { return t.Check(issuer, now) == nil }
