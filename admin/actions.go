// Package admin holds what operators do: they register, change, rotate, disable, enable and delete clients,
// and revoke tokens. The command line and the admin API share it.
//
// The order matters. An action that ends tokens changes the database first. From then on the tokens are
// inactive on every node, within a second at most. Only then the action deletes keys in Redis, which frees
// memory. If the second part fails, nothing is active that should not be.
//
// Every action that changes something writes a line to the audit trail, which never has a secret.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// Settled is how long it takes at most until every node knows of a change in the database.
const Settled = time.Second

// SettledEmbedded is how long it takes for an embedded server. It asks the database for each request, so only
// requests in flight do not know.
const SettledEmbedded = 100 * time.Millisecond

// ErrChanged means that the client is not in the version that the operator has seen.
var ErrChanged = errors.New("the client was changed meanwhile")

// Actions are what an operator can do. Its methods return models.ErrClientNotFound for an id that no client
// has. They return an error that wraps models.ErrUnavailable if the database or Redis fails; a change that
// the database has not confirmed may still have been made.
type Actions struct {
	Clients  *repository.Clients
	Tokens   *tokens.Store // nil: there are no tokens, because no embedded server runs
	Prefix   string        // of the server's tokens; secrets begin with it, too
	Settle   time.Duration // how long to wait until every node knows of a change: Settled, or SettledEmbedded
	Operator Operator
	Trail    func(context.Context, slog.Record) // writes a line of the audit trail
	// Versions limits actions on a client, unless it is nil. If the client is in none of these versions (see
	// models.Client.Version), they change nothing and return ErrChanged.
	Versions []string
}

// condition returns the condition of a change. It also stores the client as it was before the change.
func (a Actions) condition(before *models.Client) repository.Condition {
	return func(client *models.Client) error {
		*before = *client
		if a.Versions != nil && !slices.Contains(a.Versions, client.Version()) {
			return ErrChanged
		}
		return nil
	}
}

// wait waits until every node knows of a change in the database. It returns an error if ctx ends before.
func (a Actions) wait(ctx context.Context) error {
	select {
	case <-time.After(a.Settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
