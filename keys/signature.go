package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is the name of a signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
type Algorithm = jose.SignatureAlgorithm

// Ed25519 is the name that RFC 9864 gives to EdDSA with an Ed25519 key.
const Ed25519 Algorithm = "Ed25519"

// Algorithms are those that this server accepts.
var Algorithms = []Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA, Ed25519}

// MaxSigned is the size of the largest signed statement, in bytes.
const MaxSigned = 8 << 10

// Signed is a signed statement (RFC 7515), such as a client assertion, whose signature may be wrong.
type Signed struct {
	KeyID     string
	Type      string // the typ of its header
	Algorithm Algorithm
	jws       *jose.JSONWebSignature
}

// Errors of signed statements.
var (
	errTooLarge = fmt.Errorf("it is larger than %d bytes", MaxSigned)
	errCritical = errors.New("its header has crit, and no extension is supported")
	errNoKey    = errors.New("no registered key has its kid and fits its alg")
)

// ParseSigned parses a statement in the compact form. It does not check the signature.
func ParseSigned(text string) (*Signed, error) {
	if len(text) > MaxSigned {
		return nil, errTooLarge
	}
	jws, err := jose.ParseSignedCompact(text, Algorithms)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	if _, critical := header.ExtraHeaders["crit"]; critical {
		return nil, errCritical
	}
	kind, _ := header.ExtraHeaders[jose.HeaderType].(string)
	return &Signed{KeyID: header.KeyID, Type: kind, Algorithm: Algorithm(header.Algorithm), jws: jws}, nil
}

// Claims returns the payload, which may be anybody's.
func (s *Signed) Claims() []byte { return s.jws.UnsafePayloadWithoutVerification() }

// maxTries is how many keys are tried for one statement.
const maxTries = 4

// Verify reports no error if one of the keys has signed the statement. A kid must be that of the key. It takes
// about as long if no key fits.
func (s *Signed) Verify(set Set) error {
	fitting := set.fitting(s)
	if len(fitting) == 0 {
		for _, key := range decoys.Keys {
			if key.fits(s.Algorithm) {
				_ = s.verify(key)
			}
		}
		return errNoKey
	}
	var err error
	for _, key := range fitting {
		if err = s.verify(key); err == nil {
			return nil
		}
	}
	return err
}

// Knows reports whether the set has a key that the statement may be signed with.
func (set Set) Knows(s *Signed) bool { return len(set.fitting(s)) > 0 }

func (set Set) fitting(s *Signed) []Key {
	var fitting []Key
	for _, key := range set.Keys {
		if key.fits(s.Algorithm) && (s.KeyID == "" || s.KeyID == key.ID) && len(fitting) < maxTries {
			fitting = append(fitting, key)
		}
	}
	return fitting
}

func (s *Signed) verify(key Key) error {
	var verifier any = key.Public
	if public, is := key.Public.(ed25519.PublicKey); is {
		verifier = edVerifier(public)
	}
	_, err := s.jws.Verify(verifier)
	return err
}

// edVerifier checks Ed25519 signatures under both names of the algorithm. go-jose only knows one.
type edVerifier ed25519.PublicKey

// VerifyPayload is called by go-jose.
func (v edVerifier) VerifyPayload(payload, signature []byte, algorithm Algorithm) error {
	if algorithm != jose.EdDSA && algorithm != Ed25519 {
		return jose.ErrUnsupportedAlgorithm
	}
	if !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return jose.ErrCryptoFailure
	}
	return nil
}

// fits reports whether the key can be used with the algorithm. It depends on the kind of the key and not only
// on its alg, so that no key is used as if it were of another kind.
func (k *Key) fits(algorithm Algorithm) bool {
	if k.algorithm != "" && k.algorithm != algorithm && !(isEd(k.algorithm) && isEd(algorithm)) {
		return false
	}
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		return algorithm == jose.ES256 && public.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return algorithm == jose.RS256 || algorithm == jose.PS256
	case ed25519.PublicKey:
		return isEd(algorithm)
	}
	return false
}

func isEd(algorithm Algorithm) bool { return algorithm == jose.EdDSA || algorithm == Ed25519 }

// decoys are keys of no client, those of the examples in RFC 7515 §A.3, RFC 7638 §3.1 and RFC 8037 §A.2. Checking
// a signature with one takes as long as with a registered key. The result is not used, because some of the
// private keys are known.
var decoys = func() Set {
	set, _ := Parse(`{"keys":[
		{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
		{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
		{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	return set
}()
