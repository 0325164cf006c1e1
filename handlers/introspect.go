package handlers

import (
	"context"
	"errors"
	"net/http"

	"chit/models"
)

// introspection is the answer for an active token (RFC 7662 §2.2). There is no user, so there is
// no sub and no username.
type introspection struct {
	Active    bool   `json:"active"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope,omitempty"`
	TokenType string `json:"token_type"`
	IssuedAt  int64  `json:"iat"` // seconds
	Expires   int64  `json:"exp"` // seconds
	Issuer    string `json:"iss"`
	ID        string `json:"jti"`
}

// inactive is the answer for every other token: why it is inactive is nobody's business.
var inactive = struct {
	Active bool `json:"active"`
}{false}

// introspect is the introspection endpoint (RFC 7662 §2).
func (a *API) introspect(ctx context.Context, x *exchange, caller *models.Client, form form) error {
	if form["token"] == "" {
		return errTokenMissing
	}
	token, err := a.visibleToken(ctx, caller, form["token"])
	if errors.Is(err, models.ErrTokenNotFound) {
		return answer(x, http.StatusOK, inactive)
	}
	if err != nil {
		return err
	}
	x.jti = token.ID
	return answer(x, http.StatusOK, introspection{
		Active:    true,
		ClientID:  token.ClientID,
		Scope:     token.Scope,
		TokenType: bearer,
		IssuedAt:  token.IssuedAt.Unix(),
		Expires:   token.ExpiresAt.Unix(),
		Issuer:    a.Issuer,
		ID:        token.ID,
	})
}

// visibleToken returns a token that is in force and the caller's business, else
// models.ErrTokenNotFound.
func (a *API) visibleToken(ctx context.Context, caller *models.Client, text string) (models.AccessToken, error) {
	token, err := a.Tokens.Find(ctx, text)
	if err != nil {
		return models.AccessToken{}, err
	}
	if !caller.CanSee(token) {
		return models.AccessToken{}, models.ErrTokenNotFound
	}
	issuer := caller
	if !caller.Owns(token) {
		issuer, err = a.Clients.Find(ctx, token.ClientID)
	}
	if err != nil && !errors.Is(err, models.ErrClientNotFound) {
		return models.AccessToken{}, err
	}
	if !token.Active(issuer, a.Now()) {
		return models.AccessToken{}, models.ErrTokenNotFound
	}
	return token, nil
}
