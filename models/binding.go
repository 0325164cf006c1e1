package models

import (
	"database/sql/driver"
	"fmt"
)

// Binding says what the sender of a token must show. It has SHA-256 thumbprints in base64url, 43 characters each.
// The zero value is that of a bearer token. In JSON it is the cnf of a token (RFC 7800 §3.1).
type Binding struct {
	Certificate string `json:"x5t#S256,omitempty"` // of the sender's certificate: x5t#S256 (RFC 8705 §3.1)
	Key         string `json:"jkt,omitempty"`      // of the key that signs its proofs: jkt (RFC 9449 §6.1)
}

// TokenType returns the token_type of tokens with this binding (RFC 9449 §5).
func (b Binding) TokenType() string {
	if b.Key != "" {
		return "DPoP"
	}
	return "Bearer"
}

// bind returns the binding of a new token of a client that has shown this. It returns ErrNoCertificate or ErrNoProof
// if the client gets bound tokens only and has not shown what they are bound to.
func (c *Client) bind(shown Binding) (Binding, error) {
	if c.CertificateBound && shown.Certificate == "" {
		return Binding{}, ErrNoCertificate
	}
	if c.DPoPBound && shown.Key == "" {
		return Binding{}, ErrNoProof
	}
	if !c.CertificateBound {
		shown.Certificate = ""
	}
	return shown, nil
}

// Flag is true or false. False is null in SQL.
type Flag bool

// Value returns nil for false.
func (f Flag) Value() (driver.Value, error) {
	if !f {
		return nil, nil
	}
	return true, nil
}

// Scan reads a boolean or null. SQLite has numbers for booleans.
func (f *Flag) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*f = false
	case bool:
		*f = Flag(value)
	case int64:
		*f = value != 0
	default:
		return fmt.Errorf("%T is no boolean", value)
	}
	return nil
}
