package guard

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// maxProof is the size of the largest proof, in bytes.
	maxProof = 8 << 10
	// proofAge is how far the iat of a proof may be from now, in both directions.
	proofAge = time.Minute
)

// ProofAlgorithms are the algorithms of signatures that proofs can have. Ed25519 is the name that RFC 9864 gives to
// EdDSA with such a key.
var ProofAlgorithms = []string{"ES256", "RS256", "PS256", "EdDSA", "Ed25519"}

// ProofError is what is wrong with a DPoP proof. It never repeats what was sent.
type ProofError string

func (e ProofError) Error() string { return "the DPoP proof " + string(e) }

// What can be wrong with a proof.
const (
	ErrProofMissing   ProofError = "is missing: send it in the header DPoP"
	ErrProofTwice     ProofError = "is there twice: send one header DPoP"
	ErrProofTooLarge  ProofError = "is larger than 8192 bytes"
	ErrProofMalformed ProofError = "is not a JWT in three parts of base64url"
	ErrProofHeader    ProofError = "has a malformed header"
	ErrProofType      ProofError = "has another typ than dpop+jwt"
	ErrProofAlgorithm ProofError = "has an alg that is not supported: use ES256, RS256, PS256 or EdDSA"
	ErrProofCritical  ProofError = "has crit in its header, and no extension is supported"
	ErrProofKey       ProofError = "has no public key in its jwk that fits its alg"
	ErrProofPrivate   ProofError = "has a private key in its jwk: this key must not be used any more"
	ErrProofSignature ProofError = "is not signed by the key in its jwk"
	ErrProofClaims    ProofError = "has malformed claims: jti, htm, htu and iat are required"
	ErrProofMethod    ProofError = "is for another method (htm)"
	ErrProofURL       ProofError = "is for another URL (htu)"
	ErrProofTime      ProofError = "is not of the last minute (iat): check the clock of the client"
	ErrProofUsed      ProofError = "was used before (jti)"
	ErrProofToken     ProofError = "is not for this token (ath)"
	ErrProofOtherKey  ProofError = "is of another key than the token (jkt)"
	ErrProofNonce     ProofError = "has no nonce that this server has sent lately: use the one in the header DPoP-Nonce"
)

// Proof is a DPoP proof whose signature is right (RFC 9449 §4.2).
type Proof struct {
	ID        string // the jti
	Method    string // the htm
	URL       string // the htu
	IssuedAt  time.Time
	TokenHash string // the ath; empty: there is none
	Nonce     string // empty: there is none
	Key       string // SHA-256 thumbprint of its key in base64url, 43 characters: the jkt of tokens that are bound to it
}

// ProofOf returns the proof of a request; nil: there is none. The error is a ProofError.
func ProofOf(r *http.Request) (*Proof, error) {
	switch headers := r.Header["Dpop"]; len(headers) { // the canonical form of DPoP
	case 0:
		return nil, nil
	case 1:
		return ParseProof(headers[0])
	}
	return nil, ErrProofTwice
}

// ParseProof parses a proof and checks its signature (RFC 9449 §4.3, checks 2 to 7). The error is a ProofError.
func ParseProof(text string) (*Proof, error) {
	if len(text) > maxProof {
		return nil, ErrProofTooLarge
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, ErrProofMalformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = decode64(part); err != nil {
			return nil, ErrProofMalformed
		}
	}
	algorithm, key, err := parseProofHeader(decoded[0])
	if err != nil {
		return nil, err
	}
	proof, err := parseProofClaims(decoded[1])
	if err != nil {
		return nil, err
	}
	if proof.Key = key.thumbprint(); !key.verify(algorithm, text[:len(parts[0])+1+len(parts[1])], decoded[2]) {
		return nil, ErrProofSignature
	}
	return proof, nil
}

func parseProofHeader(text []byte) (algorithm string, key publicKey, err error) {
	header, err := parseMembers(text)
	if err != nil {
		return "", nil, ErrProofHeader
	}
	if header.text("typ") != "dpop+jwt" {
		return "", nil, ErrProofType
	}
	if header["crit"] != nil {
		return "", nil, ErrProofCritical
	}
	if algorithm = header.text("alg"); !slices.Contains(ProofAlgorithms, algorithm) {
		return "", nil, ErrProofAlgorithm
	}
	key, err = parseProofKey(header["jwk"], algorithm)
	return algorithm, key, err
}

func parseProofClaims(text []byte) (*Proof, error) {
	claims, err := parseMembers(text)
	if err != nil {
		return nil, ErrProofClaims
	}
	issued, known := claims.instant("iat")
	proof := &Proof{
		ID: claims.text("jti"), Method: claims.text("htm"), URL: claims.text("htu"), IssuedAt: issued,
		TokenHash: claims.text("ath"), Nonce: claims.text("nonce"),
	}
	if proof.ID == "" || proof.Method == "" || proof.URL == "" || !known {
		return nil, ErrProofClaims
	}
	return proof, nil
}

// Check checks that the proof was made for a request with this method and URL, at the time now (RFC 9449 §4.3, checks
// 8, 9 and 11). The query and the fragment of both URLs are ignored. It does not check whether the proof was used
// before, and for which token it is. The error is a ProofError.
func (p *Proof) Check(method, url string, now time.Time) error {
	if p.Method != method {
		return ErrProofMethod
	}
	if !sameURL(p.URL, url) {
		return ErrProofURL
	}
	if age := now.Sub(p.IssuedAt); age > proofAge || age < -proofAge {
		return ErrProofTime
	}
	return nil
}

// hash returns a SHA-256 digest in base64url, as ath, jkt and x5t#S256 have it.
func hash(text []byte) string {
	digest := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
