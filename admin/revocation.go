package admin

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"chit/models"
)

// Revocation is a revocation of many tokens that is in force: the tokens are inactive. Their keys are still
// in Redis until Finish deletes them.
type Revocation struct {
	ClientID string         // whose tokens; empty: the tokens of all clients
	Client   *models.Client // after the change; nil if ClientID is empty, or if there is no such client any more
	Before   time.Time      // the tokens are those that were issued at or before this time; zero: all of them

	clients   []string // ids
	actions   Actions
	unsettled bool // nodes may still issue tokens for a secret that has ended
	unnoted   bool // the audit trail gets a line if there are tokens
}

// Unfinished is the error of Finish if keys remain. They belong to inactive tokens and expire by
// themselves. Another revocation of the same tokens deletes them sooner.
type Unfinished struct {
	Removed int // keys that are deleted
	Total   int // keys that there were; 0: not known, or those of several clients
	Cause   error
}

func (e *Unfinished) Error() string {
	return fmt.Sprintf("the tokens are inactive, but only %d of their keys in Redis are deleted: %v", e.Removed, e.Cause)
}

func (e *Unfinished) Unwrap() error { return e.Cause }

// Progress is called while keys are deleted, with the number of keys that are done and of all keys of a
// client.
type Progress func(clientID string, done, total int)

func (a Actions) revocation(client *models.Client) *Revocation {
	return &Revocation{ClientID: client.ClientID, Client: client, Before: *client.TokensRevokedBefore, clients: []string{client.ClientID}, actions: a}
}

// Settle completes the revocation after a rotation that has ended the old secret at once. It waits until
// every node knows of that, and then revokes the tokens that nodes have issued for the old secret meanwhile.
// Tokens that were issued for the new secret in this time are revoked, too. Other revocations need no
// Settle, and it does nothing.
func (r *Revocation) Settle(ctx context.Context) error {
	if !r.unsettled {
		return nil
	}
	if err := r.actions.wait(ctx); err != nil {
		return err
	}
	client, err := r.actions.Clients.RevokeTokens(ctx, r.ClientID, nil)
	if err != nil {
		return err
	}
	r.Client, r.Before, r.unsettled = client, *client.TokensRevokedBefore, false
	return nil
}

// Finish deletes the keys of the tokens and returns their number. If it fails, the error is an *Unfinished.
func (r *Revocation) Finish(ctx context.Context, progress Progress) (removed int, err error) {
	if r.actions.Tokens == nil {
		return 0, nil
	}
	for _, id := range r.clients {
		var total int
		gone, err := r.purge(ctx, id, func(done, of int) {
			total = of
			progress(id, done, of)
		})
		progress(id, 0, 0)
		removed += gone
		if err != nil {
			if r.ClientID == "" {
				total = 0
			}
			return removed, &Unfinished{removed, total, err}
		}
	}
	if r.unnoted && removed > 0 {
		r.actions.note(ctx, tokensRevoked, slog.String("client_id", r.ClientID))
	}
	return removed, nil
}

func (r *Revocation) purge(ctx context.Context, id string, progress func(done, total int)) (removed int, err error) {
	if r.Before.IsZero() {
		return r.actions.Tokens.PurgeAll(ctx, id, progress)
	}
	return r.actions.Tokens.Purge(ctx, id, r.Before, progress)
}
