package guard

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"time"
)

// Token is an active access token. It must not be changed, because requests share it.
type Token struct {
	ID        string   // the jti: the lower-case hex SHA-256 of the token
	ClientID  string   // the client that the token was issued to
	Scopes    []string // granted scopes
	Audience  []string // the resource servers that it is for; empty: all
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Certificate and Key are SHA-256 thumbprints in base64url of what its sender must show: a certificate
	// (x5t#S256, RFC 8705 §3.1), and a key that signs proofs (jkt, RFC 9449 §6.1). Empty: nothing.
	Certificate, Key string
}

// HasScopes reports whether the token has all of these scopes.
func (t Token) HasScopes(scopes ...string) bool {
	for _, scope := range scopes {
		if !slices.Contains(t.Scopes, scope) {
			return false
		}
	}
	return true
}

// contextKey is the key of the token in a context.
type contextKey struct{}

// FromContext returns the token of a request that Require has let in.
func FromContext(ctx context.Context) (Token, bool) {
	token, ok := ctx.Value(contextKey{}).(Token)
	return token, ok
}

// The form of a token: <prefix>_<52 characters><7 characters>. The last seven are a checksum.
const (
	randomLength   = 52
	checksumLength = 7
	tailLength     = randomLength + checksumLength
	maxPrefix      = 32
	maxLength      = maxPrefix + 1 + tailLength
	alphabet       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// hasForm reports whether text has the form of a token. The server would answer for any other text that it
// is inactive, so the guard need not ask.
func hasForm(text string) bool {
	at := len(text) - tailLength
	if at < 2 || len(text) > maxLength || text[at-1] != '_' || strings.Trim(text[at:at+randomLength], alphabet) != "" {
		return false
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(text[:at+randomLength])))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]) == text[at+randomLength:]
}
