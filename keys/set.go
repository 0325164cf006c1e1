// Package keys reads public keys (RFC 7517), checks signatures with them, and keeps key documents of other servers.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// MaxDocument is the size of the largest key document, in bytes.
	MaxDocument = 64 << 10
	// maxKeys is the maximum number of keys in a document.
	maxKeys = 100
	// Sizes of RSA keys, in bits. A larger key would make each check slow.
	minRSA, maxRSA = 2048, 8192
)

// Key is a public key.
type Key struct {
	ID          string // the kid; may be empty
	Public      crypto.PublicKey
	Certificate *x509.Certificate // the first one of the x5c; nil: there is none
	algorithm   Algorithm         // the alg; empty: any that fits the key
}

// Set are the keys of a document. The zero value has no key.
type Set struct {
	Keys []Key
	// Unusable says for each key that cannot be used what is wrong with it. RFC 7517 §5 says that others
	// are to be used all the same.
	Unusable []error
}

// Errors of keys that an operator may have mixed up.
var (
	ErrPrivate   = errors.New("is a private key: register the public key, and keep the private key where the client runs")
	ErrSymmetric = errors.New("is a symmetric key, which is a shared secret: register a public key")
)

// Parse reads a key document: an object with the member keys. It returns an error if the document as a whole is
// malformed or too large.
func Parse(document string) (Set, error) {
	if len(document) > MaxDocument {
		return Set{}, fmt.Errorf("is larger than %d bytes", MaxDocument)
	}
	var members struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	switch err := json.Unmarshal([]byte(document), &members); {
	case err != nil:
		return Set{}, fmt.Errorf("is not a JSON object: %w", err)
	case members.Keys == nil:
		return Set{}, errors.New(`has no member "keys"`)
	case len(*members.Keys) > maxKeys:
		return Set{}, fmt.Errorf("has more than %d keys", maxKeys)
	}
	var set Set
	for i, raw := range *members.Keys {
		key, err := parseKey(raw)
		if err != nil {
			set.Unusable = append(set.Unusable, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		set.Keys = append(set.Keys, key)
	}
	return set, nil
}

// uses are the values of use for signatures. The last one is that of the keys for JWT-SVIDs in a SPIFFE bundle.
var uses = []string{"", "sig", "jwt-svid"}

func parseKey(raw []byte) (Key, error) {
	var parsed jose.JSONWebKey
	var purpose struct {
		Operations []string `json:"key_ops"`
	}
	if err := errors.Join(json.Unmarshal(raw, &parsed), json.Unmarshal(raw, &purpose)); err != nil {
		return Key{}, err
	}
	if _, symmetric := parsed.Key.([]byte); symmetric {
		return Key{}, ErrSymmetric
	}
	if !parsed.IsPublic() {
		return Key{}, ErrPrivate
	}
	if !slices.Contains(uses, parsed.Use) || purpose.Operations != nil && !slices.Contains(purpose.Operations, "verify") {
		return Key{}, errors.New("is not for signatures, by its use or key_ops")
	}
	key := Key{ID: parsed.KeyID, Public: parsed.Key, algorithm: Algorithm(parsed.Algorithm)}
	if len(parsed.Certificates) > 0 {
		key.Certificate = parsed.Certificates[0]
	}
	return key, key.check()
}

// check returns an error if the key is of no use here.
func (k *Key) check() error {
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey: // with other curves than P-256 a key is of use in certificates only
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("is an RSA key of %d bits: it must have %d to %d", bits, minRSA, maxRSA)
		}
	case ed25519.PublicKey:
	default:
		return errors.New("is of a kind that is not supported: use EC, RSA or Ed25519")
	}
	if k.algorithm != "" && len(k.Algorithms()) == 0 {
		return fmt.Errorf("has the alg %q, which is not supported for this kind of key", string(k.algorithm))
	}
	return nil
}

// Algorithms returns the algorithms of signed statements that the key can be used with.
func (k *Key) Algorithms() []Algorithm {
	return slices.DeleteFunc(slices.Clone(Algorithms), func(a Algorithm) bool { return !k.fits(a) })
}

// Thumbprint returns the SHA-256 thumbprint of the key (RFC 7638) in base64url, 43 characters.
func (k *Key) Thumbprint() string {
	digest, err := (&jose.JSONWebKey{Key: k.Public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "" // not for a key that check accepts
	}
	return base64.RawURLEncoding.EncodeToString(digest)
}
