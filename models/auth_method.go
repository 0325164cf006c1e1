package models

import (
	"database/sql/driver"
	"fmt"
	"slices"
)

// AuthMethod is how a client authenticates, with the names of RFC 7591 §2 and RFC 8705 §2. It is a Text,
// because a client without one has null in the database.
type AuthMethod = Text

// The methods. AnySecret is the value of a client that is not registered for one of the others.
const (
	AnySecret     AuthMethod = "" // SecretBasic or SecretPost
	SecretBasic   AuthMethod = "client_secret_basic"
	SecretPost    AuthMethod = "client_secret_post"
	PrivateKeyJWT AuthMethod = "private_key_jwt"             // a signed assertion (RFC 7523 §2.2)
	TLSClientAuth AuthMethod = "tls_client_auth"             // a certificate of an authority
	SelfSignedTLS AuthMethod = "self_signed_tls_client_auth" // a certificate with a registered key
)

// AuthMethods are the values that the column token_endpoint_auth_method can have, except null.
var AuthMethods = []AuthMethod{SecretBasic, SecretPost, PrivateKeyJWT, TLSClientAuth, SelfSignedTLS}

// UsesSecret reports whether the client authenticates with a secret.
func (c *Client) UsesSecret() bool {
	return slices.Contains([]AuthMethod{AnySecret, SecretBasic, SecretPost}, c.AuthMethod)
}

// Accepts reports whether the client is registered for this method.
func (c *Client) Accepts(method AuthMethod) bool {
	if c.AuthMethod == AnySecret {
		return method == SecretBasic || method == SecretPost
	}
	return c.AuthMethod == method
}

// AcceptsFederation reports whether tokens of other issuers may authenticate the client.
func (c *Client) AcceptsFederation() bool {
	return c.AuthMethod == AnySecret || c.AuthMethod == PrivateKeyJWT
}

// Admit returns no error if a client that has proved who it is may go on. It returns ErrPublicClient for a
// public client, and a Refusal for a disabled client or a nil one, which is unknown.
func (c *Client) Admit() error {
	switch {
	case c == nil:
		return UnknownClient
	case c.Disabled():
		return ClientDisabled
	case c.IsPublic:
		return ErrPublicClient
	}
	return nil
}

// Text is a text that is null in SQL if it is empty.
type Text string

// Value returns nil for an empty text.
func (t Text) Value() (driver.Value, error) {
	if t == "" {
		return nil, nil
	}
	return string(t), nil
}

// Scan reads a text or null.
func (t *Text) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*t = ""
	case string:
		*t = Text(value)
	case []byte:
		*t = Text(value)
	default:
		return fmt.Errorf("%T is no text", value)
	}
	return nil
}

// Federation is a row of oauth_client_federation. A token of the issuer with this subject and audience
// authenticates the client.
type Federation struct {
	ClientID string `gorm:"primaryKey"`
	Issuer   string `gorm:"primaryKey"`
	Subject  string `gorm:"primaryKey"` // a * at the end stands for any text
	Audience string `gorm:"primaryKey"`
	JWKSURI  Text   `gorm:"column:jwks_uri"` // empty: the keys are in the issuer's discovery document
}

// TableName returns the name of the table in SQL.
func (Federation) TableName() string { return "oauth_client_federation" }
