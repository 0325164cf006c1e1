// Package models holds the rules of the server, without I/O: what a client may do, which secret
// opens it, which scopes it gets, and which tokens are in force. The zero value of everything
// here denies.
package models

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ClientCredentials is the one grant type of this server (RFC 6749 §4.4).
const ClientCredentials = "client_credentials"

// maxClientID is the length, in characters, of the column client_id.
const maxClientID = 255

// Client is a row of oauth_client, with the secrets of it that are retired but may still work.
type Client struct {
	ClientID            string `gorm:"primaryKey"`
	ClientSecretHash    string // as HashSecret returns it; empty: nobody can authenticate
	ClientName          string
	RedirectURIs        string `gorm:"column:redirect_uris"` // always empty in use: no redirects here
	AllowedScopes       string // separated by spaces
	GrantTypes          string // separated by spaces or commas
	IsPublic            bool
	IsResourceServer    bool
	TokenTTLSeconds     *int64 `gorm:"column:token_ttl_seconds"` // nil: the server's
	DisabledAt          *time.Time
	TokensRevokedBefore *time.Time // tokens issued at or before this instant are inactive
	CreatedAt           time.Time
	UpdatedAt           time.Time

	RetiredSecrets []RetiredSecret `gorm:"foreignKey:ClientID;references:ClientID"`
}

// TableName is the table's name in SQL.
func (Client) TableName() string { return "oauth_client" }

// Grant is what a client gets when it asks for a token.
type Grant struct {
	ClientID string
	Scope    string // separated by one space; empty for none
	TTL      time.Duration
}

// Why an authentication failed is for the log alone: outside they are all one.
var (
	errUnknownClient = fmt.Errorf("%w: unknown client", ErrAuthenticationFailed)
	errWrongSecret   = fmt.Errorf("%w: wrong secret", ErrAuthenticationFailed)
	errDisabled      = fmt.Errorf("%w: client is disabled", ErrAuthenticationFailed)
)

// Authenticate reports whether secret opens the client at now: no error if so, ErrPublicClient for
// a client that can keep no secret, else an error that wraps ErrAuthenticationFailed. If it is a
// retired secret that opens, that is returned. A nil client is an unknown one: it takes the same
// work as a wrong secret.
func (c *Client) Authenticate(secret string, now time.Time) (retired *RetiredSecret, err error) {
	known := c != nil
	if !known {
		c = &Client{}
	}
	presented := hashSecret(secret)
	opened := presented.matches(c.ClientSecretHash)
	for i := range c.RetiredSecrets {
		former := &c.RetiredSecrets[i]
		if presented.matches(former.SecretHash) && now.Before(former.ExpiresAt) && !opened {
			retired, opened = former, true
		}
	}
	// The hash of an empty secret is what a script stores whose variable is not set: it opens nothing.
	opened = opened && secret != ""
	// A public client is known by its id alone, unless it claims a secret that it has not.
	opened = opened || c.IsPublic && (secret == "" || c.ClientSecretHash == "")
	switch {
	case !known:
		return nil, errUnknownClient
	case !opened:
		return nil, errWrongSecret
	case c.Disabled():
		return nil, errDisabled
	case c.IsPublic:
		return nil, ErrPublicClient
	}
	return retired, nil
}

// Disabled reports whether an operator has switched the client off. Any instant in disabled_at
// counts, also one that by this machine's clock is yet to come.
func (c *Client) Disabled() bool { return c.DisabledAt != nil }

// Grant returns what the client gets for a token request with this scope parameter (RFC 6749
// §3.3, §4.4); defaultTTL is the lifetime for a client without one of its own. It returns
// ErrPublicClient, ErrGrantNotAllowed or ErrScopeNotAllowed.
func (c *Client) Grant(requestedScope string, defaultTTL time.Duration) (Grant, error) {
	if c.IsPublic {
		return Grant{}, ErrPublicClient
	}
	if c.GrantTypes != ClientCredentials && !slices.Contains(c.RegisteredGrantTypes(), ClientCredentials) {
		return Grant{}, ErrGrantNotAllowed
	}
	scope, err := grantScope(c.AllowedScopes, requestedScope)
	if err != nil {
		return Grant{}, err
	}
	ttl := defaultTTL
	if c.TokenTTLSeconds != nil {
		ttl = time.Duration(*c.TokenTTLSeconds) * time.Second
	}
	return Grant{ClientID: c.ClientID, Scope: scope, TTL: ttl}, nil
}

// RegisteredGrantTypes returns the grant types that the client is registered for.
func (c *Client) RegisteredGrantTypes() []string {
	return strings.FieldsFunc(c.GrantTypes, func(r rune) bool { return r == ' ' || r == ',' })
}

// CanSee reports whether the token is the client's business: a resource server sees every token,
// any other client those issued to itself.
func (c *Client) CanSee(token AccessToken) bool {
	return c.IsResourceServer || c.Owns(token)
}

// Owns reports whether the token was issued to the client.
func (c *Client) Owns(token AccessToken) bool {
	return c.ClientID != "" && c.ClientID == token.ClientID
}

// CanBeClientID reports whether a client of this id can exist in the database: 1 to 255 characters
// of UTF-8 without NUL. Strangers send everything else too, and it need not be looked up.
func CanBeClientID(id string) bool {
	return id != "" && utf8.ValidString(id) && !strings.ContainsRune(id, 0) &&
		utf8.RuneCountInString(id) <= maxClientID
}
