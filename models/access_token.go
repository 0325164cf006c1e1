package models

import "time"

// AccessToken is what the server keeps of an issued token: everything but the token itself.
type AccessToken struct {
	ID        string // lower-case hex SHA-256 of the token; the jti of introspection and of the logs
	ClientID  string
	Scope     string // granted scopes, separated by one space; empty for none
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// registrationSlack is by how much a token may be older than its client's row. The clocks of servers and
// of the database differ.
const registrationSlack = time.Minute

// Inactive is the error for a token that is not in force. Its text is the reason, in one word for the log.
// Errors of this type are ErrTokenNotFound: who asks for a token is not told why it is inactive.
type Inactive string

// Why a token is inactive.
const (
	TokenMalformed    Inactive = "malformed"           // the text has not the form of a token
	TokenUnknown      Inactive = "unknown"             // Redis has no such key: expired, revoked, or never issued
	TokenExpired      Inactive = "expired"             // its lifetime is over, and Redis still has its key
	TokenRevoked      Inactive = "revoked"             // issued at or before tokens_revoked_before
	TokenOfFormer     Inactive = "former_registration" // issued to a client of the same id that was deleted since
	TokenOfDisabled   Inactive = "client_disabled"
	TokenOfUnknown    Inactive = "client_unknown" // its client does not exist any more
	TokenNotForCaller Inactive = "not_for_caller" // the caller may not see it: Client.CanSee
)

func (r Inactive) Error() string { return "the token is inactive: " + string(r) }

// Is makes every reason an ErrTokenNotFound.
func (r Inactive) Is(target error) bool { return target == ErrTokenNotFound }

// Check returns nil if the token is in force at now: not expired, its client enabled, issued after the
// instant up to which the client's tokens are revoked, and issued to this registration of the client.
// Otherwise it returns an Inactive. A nil issuer, a client that does not exist any more, makes every token
// inactive, and they stay so when a client is registered under the same id.
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
