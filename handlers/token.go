package handlers

import (
	"context"
	"net/http"
	"time"

	"chit/models"
)

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope,omitempty"`
}

// token is the token endpoint (RFC 6749 §4.4).
func (a *API) token(ctx context.Context, x *exchange, client *models.Client, form form) error {
	switch form["grant_type"] {
	case models.ClientCredentials:
	case "":
		return errGrantTypeMissing
	default:
		return errGrantType
	}
	grant, err := client.Grant(form["scope"], a.TokenTTL)
	if err != nil {
		return err
	}
	token, issued, err := a.Tokens.Issue(ctx, grant)
	if err != nil {
		return err
	}
	x.event, x.jti = eventTokenIssued, issued.ID
	return answer(x, http.StatusOK, tokenAnswer{
		AccessToken: token,
		TokenType:   bearer,
		ExpiresIn:   int64(grant.TTL / time.Second),
		Scope:       issued.Scope,
	})
}
