package handlers

import (
	"context"
	"errors"
	"fmt"

	"chit/guard"
)

// proof returns the DPoP proof of a token request (RFC 9449 §5), which may have been used before; nil: there is none.
func (a *API) proof(ctx context.Context, x *exchange) (*guard.Proof, error) {
	proof, err := guard.ProofOf(x.Request())
	if proof == nil && err == nil {
		return nil, nil
	}
	now := a.Now()
	if a.Proofs.Nonces != nil {
		nonce, unavailable := a.Proofs.Nonces.Current(ctx, now)
		if unavailable != nil {
			return nil, unavailable
		}
		x.Response().Header().Set("DPoP-Nonce", nonce)
	}
	if err == nil {
		err = a.Proofs.Verify(ctx, proof, x.Path(), now)
	}
	if err != nil {
		return nil, wrongProof(err)
	}
	return proof, nil
}

// wrongProof returns the answer to a wrong proof. Any other error stays as it is.
func wrongProof(err error) error {
	fault, is := errors.AsType[guard.ProofError](err)
	switch {
	case !is:
		return err
	case fault == guard.ErrProofNonce:
		return refused("use_dpop_nonce", err.Error())
	}
	return refused("invalid_dpop_proof", err.Error())
}

// certificateShown returns the thumbprint of the certificate that a request has shown; empty: none.
func (a *API) certificateShown(x *exchange) (string, error) {
	if shown := x.shown.certificate; shown != nil {
		return shown.Thumbprint(), nil
	}
	var shown credentials
	a.addCertificate(x.Request(), &shown)
	if shown.malformed != nil {
		return "", errCertificate.because(shown.malformed)
	}
	if shown.certificate == nil {
		return "", nil
	}
	return shown.certificate.Thumbprint(), nil
}

var errCertificate = invalidRequest(fmt.Sprintf("the header %s of the proxy is malformed", clientCert))
