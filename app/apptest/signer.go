package apptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"chit/assertions"
)

// Signer signs statements with a private key of one test. It signs whatever it is told to, also what is wrong.
type Signer struct {
	ID        string // the kid
	Algorithm string // of the header

	t   testing.TB
	key crypto.Signer
}

// NewSigner returns a signer with a new key for an algorithm.
func NewSigner(t testing.TB, algorithm, id string) *Signer {
	t.Helper()
	s := &Signer{t: t, ID: id, Algorithm: algorithm}
	var err error
	switch algorithm {
	case "ES256":
		s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256", "PS256":
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA", "Ed25519":
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no key for %s", algorithm)
	}
	must(t, err)
	return s
}

// SignerOf returns a signer with a key.
func SignerOf(t testing.TB, algorithm, id string, key crypto.Signer) *Signer {
	return &Signer{t: t, ID: id, Algorithm: algorithm, key: key}
}

// Public returns the public key.
func (s *Signer) Public() crypto.PublicKey { return s.key.Public() }

// Private returns the private key.
func (s *Signer) Private() crypto.Signer { return s.key }

// JWK returns the public key as JSON.
func (s *Signer) JWK() string {
	s.t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: s.Public(), KeyID: s.ID})
	must(s.t, err)
	return string(text)
}

// JWKS returns a document with the public keys of the signers.
func JWKS(signers ...*Signer) string {
	document := `{"keys":[`
	for i, s := range signers {
		if i > 0 {
			document += ","
		}
		document += s.JWK()
	}
	return document + `]}`
}

// Claims are those of a statement.
type Claims map[string]any

// With returns a copy with other claims. A nil value takes a claim away.
func (c Claims) With(others Claims) Claims {
	changed := maps.Clone(c)
	for name, value := range others {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

// AssertionClaims returns the claims of a right assertion of a client, with a jti of its own.
func AssertionClaims(clientID, audience string) Claims {
	now := time.Now().Unix()
	return Claims{"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(), "iat": now, "exp": now + 60}
}

// Assertion returns a right assertion of a client for a server with the default issuer.
func (s *Signer) Assertion(clientID string) string {
	s.t.Helper()
	return s.Sign(AssertionClaims(clientID, "http://localhost:8080"))
}

// Sign signs claims.
func (s *Signer) Sign(claims Claims) string {
	s.t.Helper()
	header := map[string]any{"alg": s.Algorithm}
	if s.ID != "" {
		header["kid"] = s.ID
	}
	payload, err := json.Marshal(claims)
	must(s.t, err)
	return s.SignText(header, string(payload))
}

// SignText signs a text under a header.
func (s *Signer) SignText(header map[string]any, payload string) string {
	s.t.Helper()
	encoded, err := json.Marshal(header)
	must(s.t, err)
	signed := base64.RawURLEncoding.EncodeToString(encoded) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature, err := s.sign([]byte(signed))
	must(s.t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (s *Signer) sign(text []byte) ([]byte, error) {
	digest := sha256.Sum256(text)
	switch key := s.key.(type) {
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		return append(fill(r), fill(v)...), nil
	case *rsa.PrivateKey:
		if s.Algorithm == "PS256" {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	}
	return s.key.Sign(rand.Reader, text, crypto.Hash(0))
}

func fill(number *big.Int) []byte { return number.FillBytes(make([]byte, 32)) }

// AssertionForm returns the parameters of a request that an assertion authenticates.
func AssertionForm(assertion string) string {
	return url.Values{"client_assertion_type": {assertions.Type}, "client_assertion": {assertion}}.Encode()
}
