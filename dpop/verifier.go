// Package dpop checks the DPoP proofs of token requests (RFC 9449 §5), and makes nonces for them (§8).
package dpop

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"chit/guard"
)

// Verifier checks proofs.
type Verifier struct {
	Bases []string // URLs at which clients find the endpoints: the issuer, and that for certificates if there is one
	// Once reports whether a proof is used for the first time, and remembers that for the lifetime. Its errors wrap
	// models.ErrUnavailable.
	Once   func(ctx context.Context, id string, lifetime time.Duration) (first bool, err error)
	Nonces *Nonces // nil: proofs need none
}

// Verify checks that a proof is for a POST to a path below one of the bases, is fresh, and has a nonce if it needs
// one. The error wraps a guard.ProofError or models.ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, proof *guard.Proof, path string, now time.Time) error {
	var err error
	for _, base := range v.Bases {
		if err = proof.Check(http.MethodPost, base+path, now); err != guard.ErrProofURL {
			break
		}
	}
	if err == guard.ErrProofURL {
		return fmt.Errorf("%w: it must be %s", err, v.Bases[0]+path)
	}
	if err != nil || v.Nonces == nil {
		return err
	}
	accepted, err := v.Nonces.accept(ctx, proof.Nonce, now)
	if err == nil && !accepted {
		err = guard.ErrProofNonce
	}
	return err
}

// longest is how long after its iat a proof may be accepted by a node whose clock is behind by a minute.
const longest = 2 * time.Minute

// Use makes sure that a proof is used once, on all nodes together. It returns guard.ErrProofUsed if it was used
// before, or an error that wraps models.ErrUnavailable.
func (v *Verifier) Use(ctx context.Context, proof *guard.Proof, now time.Time) error {
	// Another client may use the same jti, so the key is part of the name.
	first, err := v.Once(ctx, "DPoP proof\x00"+proof.Key+"\x00"+proof.ID, proof.IssuedAt.Add(longest).Sub(now))
	if err != nil {
		return fmt.Errorf("DPoP proof: %w", err)
	}
	if !first {
		return guard.ErrProofUsed
	}
	return nil
}
