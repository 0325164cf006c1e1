package guard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
)

// Sizes of RSA keys, in bits. A larger key would make each check slow.
const minRSA, maxRSA = 2048, 8192

// publicKey is the key of a proof.
type publicKey interface {
	// verify reports whether the key has signed a text. The algorithm is one that fits the key.
	verify(algorithm, text string, signature []byte) bool
	// thumbprint returns the SHA-256 thumbprint (RFC 7638) in base64url.
	thumbprint() string
}

// private are the members of a key that are secret (RFC 7518 §6.2.2, §6.3.2, §6.4).
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseProofKey parses a key that fits the algorithm. The error is ErrProofKey or ErrProofPrivate.
func parseProofKey(text []byte, algorithm string) (publicKey, error) {
	jwk, err := parseMembers(text)
	if err != nil {
		return nil, ErrProofKey
	}
	for _, name := range private {
		if jwk[name] != nil {
			return nil, ErrProofPrivate
		}
	}
	var key publicKey
	switch kind := jwk.text("kty"); {
	case algorithm == "ES256" && kind == "EC" && jwk.text("crv") == "P-256":
		key = parseEC(jwk)
	case (algorithm == "RS256" || algorithm == "PS256") && kind == "RSA":
		key = parseRSA(jwk)
	case (algorithm == "EdDSA" || algorithm == "Ed25519") && kind == "OKP" && jwk.text("crv") == "Ed25519":
		key = parseEd25519(jwk)
	}
	if key == nil {
		return nil, ErrProofKey
	}
	return key, nil
}

// ecKey is a key on P-256: 4, then both coordinates with 32 bytes each.
type ecKey struct {
	point  []byte
	public *ecdsa.PublicKey
}

func parseEC(jwk members) publicKey {
	x, y := jwk.bytes("x"), jwk.bytes("y")
	if len(x) != 32 || len(y) != 32 {
		return nil
	}
	point := append(append([]byte{4}, x...), y...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point) // it checks that the point is on the curve
	if err != nil {
		return nil
	}
	return ecKey{point, public}
}

func (k ecKey) verify(_, text string, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	digest := sha256.Sum256([]byte(text))
	return ecdsa.Verify(k.public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

func (k ecKey) thumbprint() string {
	encode := base64.RawURLEncoding.EncodeToString
	return hash([]byte(`{"crv":"P-256","kty":"EC","x":"` + encode(k.point[1:33]) + `","y":"` + encode(k.point[33:]) + `"}`))
}

type rsaKey rsa.PublicKey

func parseRSA(jwk members) publicKey {
	modulus, exponent := new(big.Int).SetBytes(jwk.bytes("n")), new(big.Int).SetBytes(jwk.bytes("e"))
	// The package crypto/rsa checks that the exponent is odd and fits 31 bits.
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA || exponent.BitLen() > 31 {
		return nil
	}
	return (*rsaKey)(&rsa.PublicKey{N: modulus, E: int(exponent.Int64())})
}

func (k *rsaKey) verify(algorithm, text string, signature []byte) bool {
	digest := sha256.Sum256([]byte(text))
	if algorithm == "RS256" {
		return rsa.VerifyPKCS1v15((*rsa.PublicKey)(k), crypto.SHA256, digest[:], signature) == nil
	}
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS((*rsa.PublicKey)(k), crypto.SHA256, digest[:], signature, options) == nil
}

func (k *rsaKey) thumbprint() string {
	encode := func(number *big.Int) string { return base64.RawURLEncoding.EncodeToString(number.Bytes()) }
	return hash([]byte(`{"e":"` + encode(big.NewInt(int64(k.E))) + `","kty":"RSA","n":"` + encode(k.N) + `"}`))
}

type ed25519Key ed25519.PublicKey

func parseEd25519(jwk members) publicKey {
	x := jwk.bytes("x")
	if len(x) != ed25519.PublicKeySize {
		return nil
	}
	return ed25519Key(x)
}

func (k ed25519Key) verify(_, text string, signature []byte) bool {
	return ed25519.Verify(ed25519.PublicKey(k), []byte(text), signature)
}

func (k ed25519Key) thumbprint() string {
	return hash([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(k) + `"}`))
}
