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

// Active reports whether the token is in force at now: not expired, its client enabled, issued after
// the instant up to which the client's tokens are revoked, and issued to this registration of the
// client. A nil issuer, a client that does not exist any more, makes every token inactive, and
// they stay so when a client is registered under the same id.
func (t AccessToken) Active(issuer *Client, now time.Time) bool {
	if issuer == nil || issuer.ClientID != t.ClientID || issuer.Disabled() {
		return false
	}
	if before := issuer.TokensRevokedBefore; before != nil && !t.IssuedAt.After(*before) {
		return false
	}
	if issuer.CreatedAt.Sub(t.IssuedAt) >= registrationSlack {
		return false
	}
	return now.Before(t.ExpiresAt)
}
