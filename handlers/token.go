package handlers

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"chit/guard"
	"chit/models"
)

// token is the token endpoint (RFC 6749 §4.4).
func (a *API) token(ctx context.Context, x *exchange, client *models.Client, form form) error {
	switch form.get("grant_type") {
	case models.ClientCredentials:
	case "":
		return errGrantTypeMissing
	default:
		return errGrantType
	}
	request := models.TokenRequest{Scope: form.get("scope"), Resources: form.all(repeatable)}
	proof, err := a.proof(ctx, x)
	if err != nil {
		return err
	}
	if proof != nil {
		request.Shown.Key = proof.Key
	}
	if client.CertificateBound {
		if request.Shown.Certificate, err = a.certificateShown(x); err != nil {
			return err
		}
	}
	return a.issue(ctx, x, client, request, proof)
}

// issue answers with a new token. proof is what the request has shown; nil: nothing.
func (a *API) issue(ctx context.Context, x *exchange, client *models.Client, request models.TokenRequest, proof *guard.Proof) error {
	grant, err := client.Grant(request, a.TokenTTL)
	if err != nil {
		return err
	}
	if proof != nil {
		if err := a.Proofs.Use(ctx, proof, a.Now()); err != nil {
			return wrongProof(err)
		}
	}
	token, issued, err := a.Tokens.Issue(ctx, grant)
	if err != nil {
		return err
	}
	x.event, x.jti = eventTokenIssued, issued.ID
	x.use.Issued()
	return write(x, http.StatusOK, tokenAnswer(token, grant))
}

// tokenAnswer returns a successful answer (RFC 6749 §5.1).
func tokenAnswer(token string, grant models.Grant) []byte {
	body := make([]byte, 0, 256)
	body = appendString(body, `{"access_token":`, token)
	body = appendString(body, `,"token_type":`, grant.TokenType())
	body = append(body, `,"expires_in":`...)
	body = strconv.AppendInt(body, int64(grant.TTL/time.Second), 10)
	if grant.Scope != "" {
		body = appendString(body, `,"scope":`, grant.Scope)
	}
	return append(body, '}')
}
