// Package models holds the rules of the server and does no I/O. The rules decide what a client may do,
// whether a secret is correct, which scopes are granted, and which tokens are in force. The zero value of
// every type denies access.
package models

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ClientCredentials is the only grant type of this server (RFC 6749 §4.4).
const ClientCredentials = "client_credentials"

// maxClientID is the length of the column client_id, in characters.
const maxClientID = 255

// MaxTTLSeconds is the longest lifetime of tokens that the column token_ttl_seconds can hold.
const MaxTTLSeconds = math.MaxInt32

// Client is a row of oauth_client, together with the client's retired secrets.
type Client struct {
	ClientID            string `gorm:"primaryKey"`
	ClientSecretHash    string // as HashSecret returns it; if empty, the client cannot authenticate
	ClientName          string
	RedirectURIs        string `gorm:"column:redirect_uris"` // not used: this server has no redirects
	AllowedScopes       string // separated by spaces
	GrantTypes          string // separated by spaces or commas
	IsPublic            bool
	IsResourceServer    bool
	TokenTTLSeconds     *int64 `gorm:"column:token_ttl_seconds"` // nil: the server's default
	DisabledAt          *time.Time
	TokensRevokedBefore *time.Time // tokens issued at or before this time are inactive
	AuthMethod          AuthMethod `gorm:"column:token_endpoint_auth_method"`
	JWKS                Text       `gorm:"column:jwks"`                       // public keys, as a JSON document
	JWKSURI             Text       `gorm:"column:jwks_uri"`                   // where that document is
	TLSSubjectDN        Text       `gorm:"column:tls_client_auth_subject_dn"` // of the client's certificate (RFC 4514)
	TLSSANDNS           Text       `gorm:"column:tls_client_auth_san_dns"`
	TLSSANURI           Text       `gorm:"column:tls_client_auth_san_uri"`
	CertificateBound    Flag       `gorm:"column:tls_client_certificate_bound_access_tokens"` // it gets no other tokens
	DPoPBound           Flag       `gorm:"column:dpop_bound_access_tokens"`                   // it gets no other tokens
	AllowedResources    Text       // that its tokens can be for, separated by spaces (RFC 8707)
	Resource            Text       // of a resource server: its own identifiers, separated by spaces
	CreatedAt           time.Time
	UpdatedAt           time.Time

	RetiredSecrets []RetiredSecret `gorm:"foreignKey:ClientID;references:ClientID"`
	Federations    []Federation    `gorm:"foreignKey:ClientID;references:ClientID"`
	Use            *Use            `gorm:"foreignKey:ClientID;references:ClientID"` // nil: not asked for
	// FederationsErr is why Federations could not be read; nil: they were. It wraps ErrUnavailable.
	FederationsErr error `gorm:"-"`
}

// TableName returns the name of the table in SQL.
func (Client) TableName() string { return "oauth_client" }

// TokenRequest is what a client asks for.
type TokenRequest struct {
	Scope     string   // RFC 6749 §3.3
	Resources []string // RFC 8707 §2
	Shown     Binding  // what a token can be bound to
}

// Grant is what a client receives when it asks for a token.
type Grant struct {
	ClientID string
	Scope    string // separated by one space; empty if there are none
	Audience Audience
	Binding
	TTL time.Duration
}

// Refusal is why authentication failed, for the log and the metrics. The client receives the same answer for
// all of them. Every Refusal is also an ErrAuthenticationFailed.
type Refusal string

// The reasons why authentication failed.
const (
	UnknownClient    Refusal = "unknown client"
	WrongSecret      Refusal = "wrong secret"
	WrongAssertion   Refusal = "wrong assertion"
	WrongCertificate Refusal = "wrong certificate"
	WrongMethod      Refusal = "another method"
	ClientDisabled   Refusal = "client is disabled"
)

func (r Refusal) Error() string { return ErrAuthenticationFailed.Error() + ": " + string(r) }

// Is reports true for ErrAuthenticationFailed.
func (r Refusal) Is(target error) bool { return target == ErrAuthenticationFailed }

// Authenticate checks a secret of the client, sent by this method, at the time now. It returns no error if
// the secret is correct. It returns ErrPublicClient for a public client, and a Refusal otherwise. If the secret
// is a retired one that has not expired, Authenticate returns that too. A nil client is an unknown client, and
// takes as long as a wrong secret.
func (c *Client) Authenticate(method AuthMethod, secret string, now time.Time) (retired *RetiredSecret, err error) {
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
	// A script with an unset variable stores the hash of the empty secret. It must not let anybody in.
	opened = opened && secret != ""
	// A public client sends its id alone. If it sends a secret, it must have a hash to compare with.
	opened = opened || c.IsPublic && (secret == "" || c.ClientSecretHash == "")
	switch {
	case !known:
		return nil, UnknownClient
	case !opened:
		return nil, WrongSecret
	case !c.IsPublic && !c.Accepts(method):
		return nil, WrongMethod
	}
	if err := c.Admit(); err != nil {
		return nil, err
	}
	return retired, nil
}

// Disabled reports whether the client is disabled. Any value of disabled_at counts, also one in the future.
func (c *Client) Disabled() bool { return c.DisabledAt != nil }

// Grant returns what the client receives for a token request (RFC 6749 §3.3, §4.4). defaultTTL is the lifetime for
// a client that has none of its own. Grant returns ErrPublicClient, ErrGrantNotAllowed, ErrScopeNotAllowed,
// ErrResourceMalformed, ErrResourceNotAllowed, ErrNoCertificate or ErrNoProof.
func (c *Client) Grant(request TokenRequest, defaultTTL time.Duration) (Grant, error) {
	if c.IsPublic {
		return Grant{}, ErrPublicClient
	}
	if c.GrantTypes != ClientCredentials && !slices.Contains(c.RegisteredGrantTypes(), ClientCredentials) {
		return Grant{}, ErrGrantNotAllowed
	}
	scope, err := grantScope(c.AllowedScopes, request.Scope)
	if err != nil {
		return Grant{}, err
	}
	audience, err := c.audience(request.Resources)
	if err != nil {
		return Grant{}, err
	}
	binding, err := c.bind(request.Shown)
	if err != nil {
		return Grant{}, err
	}
	ttl := defaultTTL
	if c.TokenTTLSeconds != nil {
		ttl = time.Duration(*c.TokenTTLSeconds) * time.Second
	}
	return Grant{c.ClientID, scope, audience, binding, ttl}, nil
}

// RegisteredGrantTypes returns the grant types that the client is registered for.
func (c *Client) RegisteredGrantTypes() []string {
	return strings.FieldsFunc(c.GrantTypes, func(r rune) bool { return r == ' ' || r == ',' })
}

// CanSee reports whether the client may see the token in an introspection. A resource server may see the tokens that
// are for it, its own ones neither if they are for others. Any other client may see its own tokens.
func (c *Client) CanSee(token AccessToken) bool {
	if c.IsResourceServer {
		return token.IsFor(c.Resource)
	}
	return c.Owns(token)
}

// Owns reports whether the token was issued to the client.
func (c *Client) Owns(token AccessToken) bool {
	return c.ClientID != "" && c.ClientID == token.ClientID
}

// CanBeClientID reports whether the database can have a client with this id: 1 to 255 characters of UTF-8
// without NUL. The server does not look up any other id.
func CanBeClientID(id string) bool {
	return id != "" && utf8.ValidString(id) && !strings.ContainsRune(id, 0) &&
		utf8.RuneCountInString(id) <= maxClientID
}
