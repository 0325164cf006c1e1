package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"chit/models"
)

// Disable disables a client and revokes its tokens. Every node refuses both at once.
func (a Actions) Disable(ctx context.Context, id string) (*Revocation, error) {
	var before models.Client
	client, err := a.Clients.Disable(ctx, id, a.condition(&before))
	if err != nil {
		return nil, err
	}
	a.noteChange(ctx, clientDisabled, &before, client)
	return a.revocation(client), nil
}

// NotDeleted is the error of Delete for a client that it has disabled, and then could not delete.
type NotDeleted struct{ Cause error }

func (e NotDeleted) Error() string {
	return fmt.Sprintf("the client is disabled and its tokens are inactive, but it is not deleted: %v", e.Cause)
}

func (e NotDeleted) Unwrap() error { return e.Cause }

// Delete deletes a client and revokes its tokens. It disables the client first and waits until every node
// knows, so that the revocation also finds tokens that a node has issued meanwhile. It returns a NotDeleted
// if it fails halfway.
func (a Actions) Delete(ctx context.Context, id string) (*Revocation, error) {
	disabled, err := a.Disable(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Tokens != nil {
		err = a.wait(ctx)
	}
	if a.Versions != nil {
		a.Versions = []string{disabled.Client.Version()}
	}
	var before models.Client
	var deleted time.Time
	if err == nil {
		deleted, err = a.Clients.Delete(ctx, id, a.condition(&before))
	}
	if err != nil {
		return nil, NotDeleted{err}
	}
	a.noteChange(ctx, clientDeleted, &before, nil)
	// A client of the same id may be registered now. Its tokens are newer.
	return &Revocation{ClientID: id, Before: deleted, clients: []string{id}, actions: a}, nil
}

// RevokeTokens revokes the tokens of a client that were issued until now. The client can get new ones. If
// there is no such client, its tokens are inactive already, and the revocation deletes what is left.
func (a Actions) RevokeTokens(ctx context.Context, id string) (*Revocation, error) {
	var before models.Client
	client, err := a.Clients.RevokeTokens(ctx, id, a.condition(&before))
	if errors.Is(err, models.ErrClientNotFound) {
		return &Revocation{ClientID: id, clients: []string{id}, unnoted: true, actions: a}, nil
	}
	if err != nil {
		return nil, err
	}
	a.noteChange(ctx, tokensRevoked, &before, client)
	return a.revocation(client), nil
}

// RevokeAllTokens revokes the tokens of all clients that were issued until now.
func (a Actions) RevokeAllTokens(ctx context.Context) (*Revocation, error) {
	ids, before, err := a.Clients.RevokeAllTokens(ctx)
	if err != nil {
		return nil, err
	}
	a.note(ctx, tokensRevoked, slog.Bool("all", true), slog.Attr{Key: "tokens_revoked_before", Value: instant(before)})
	return &Revocation{Before: before, clients: ids, actions: a}, nil
}

// RevokeToken revokes one token. If it returns no error, Redis has acknowledged the deletion.
func (a Actions) RevokeToken(ctx context.Context, token models.AccessToken) error {
	if err := a.Tokens.Revoke(ctx, token); err != nil {
		return err
	}
	a.note(ctx, tokenRevoked, slog.String("client_id", token.ClientID), slog.String("jti", token.ID), slog.String("scope", token.Scope))
	return nil
}
