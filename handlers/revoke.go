package handlers

import (
	"context"
	"errors"

	"chit/models"
)

// revoke is the revocation endpoint (RFC 7009 §2). Revoking a token that does not exist is no error.
func (a *API) revoke(ctx context.Context, x *exchange, client *models.Client, form form) error {
	if form.get("token") == "" {
		return errTokenMissing
	}
	token, err := a.Tokens.Find(ctx, form.get("token"))
	x.jti = token.ID
	if errors.Is(err, models.ErrTokenNotFound) {
		x.noteInactive(err)
		if err := a.Tokens.Settle(ctx); err != nil {
			return err
		}
		return empty(x)
	}
	if err != nil {
		return err
	}
	if !client.Owns(token) {
		return models.ErrForeignToken
	}
	if err := a.Tokens.Revoke(ctx, token); err != nil {
		return err
	}
	x.event = eventTokenRevoked
	return empty(x)
}
