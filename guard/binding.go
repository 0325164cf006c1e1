package guard

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Errors of tokens that are active, but not for this request. Each of them is an ErrInactive, too.
var (
	// ErrOtherAudience means that the token is for other resource servers than Config.Resource.
	ErrOtherAudience error = unusable("the token is for another resource server")
	// ErrBound means that the token is bound to a key or a certificate, and that the sender has not shown it.
	ErrBound error = unusable("the token is bound, and what it is bound to was not shown")
	// ErrUnknownBinding means that the token is bound in a way that this package does not know.
	ErrUnknownBinding error = unusable("the token is bound in an unknown way")
)

// unusable is why a token cannot be used, although it is active.
type unusable string

func (u unusable) Error() string { return string(u) }

// Is reports true for ErrInactive.
func (u unusable) Is(target error) bool { return target == ErrInactive }

// The schemes of the header Authorization.
const (
	bearerScheme = "Bearer"
	dpopScheme   = "DPoP"
)

// credentials are what a request shows.
type credentials struct {
	scheme string // bearerScheme or dpopScheme
	token  string
}

var errNotBound = errors.New("the token is not bound to a key: send it as a bearer token")

// checkBinding checks that the sender of a request has shown what the token is bound to: a certificate (RFC 8705 §3),
// or a proof (RFC 9449 §7). It returns a refusal otherwise.
func (g *Guard) checkBinding(r *http.Request, shown credentials, token *Token) *Refusal {
	if token.Certificate != "" && !equal(token.Certificate, g.certificateOf(r)) {
		return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Scheme: shown.scheme, Err: ErrBound}
	}
	switch bound := token.Key != ""; {
	case bound && shown.scheme == dpopScheme:
		return g.checkProof(r, shown.token, token)
	case bound:
		return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Err: ErrBound, wantsProof: true}
	case shown.scheme == dpopScheme:
		return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Scheme: dpopScheme, Err: errNotBound}
	}
	return nil
}

// checkProof checks the proof of a request with a token that is bound to a key (RFC 9449 §7.1).
func (g *Guard) checkProof(r *http.Request, bearer string, token *Token) *Refusal {
	now := time.Now()
	err := g.verifyProof(r, bearer, token, now)
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrUnavailable) {
		return &Refusal{Status: http.StatusServiceUnavailable, Err: err}
	}
	refusal := &Refusal{Status: http.StatusUnauthorized, Code: "invalid_dpop_proof", Scheme: dpopScheme, Err: err}
	if errors.Is(err, ErrProofNonce) {
		refusal.Code = "use_dpop_nonce"
	}
	return refusal
}

func (g *Guard) verifyProof(r *http.Request, bearer string, token *Token, now time.Time) error {
	proof, err := ProofOf(r)
	if err != nil {
		return err
	}
	if proof == nil {
		return ErrProofMissing
	}
	target := g.target(r)
	if err := proof.Check(r.Method, target, now); err != nil {
		return fmt.Errorf("%w: the request is %s %q", err, r.Method, target)
	}
	switch {
	case !equal(proof.TokenHash, hash([]byte(bearer))):
		return ErrProofToken
	case !equal(proof.Key, token.Key):
		return ErrProofOtherKey
	case g.nonces != nil && !g.nonces.accepts(proof.Nonce, now):
		return ErrProofNonce
	}
	return g.used.use(proof, now)
}

func equal(one, other string) bool {
	return subtle.ConstantTimeCompare([]byte(one), []byte(other)) == 1
}

// proofChallenge says which proofs are accepted (RFC 9449 §7.1).
var proofChallenge = `algs="` + strings.Join(ProofAlgorithms, " ") + `"`
