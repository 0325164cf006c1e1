package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"chit/models"
	"chit/tokens"
)

// revocation is a revocation that is already in force by SQL: the tokens are inactive on every node. Their
// keys are still in Redis.
type revocation struct {
	fact   string   // what is in force, in words
	resume string   // how to delete the remaining keys, in words
	of     []string // ids of the clients
	purge  purge
}

// purge deletes the keys of a client's tokens.
type purge func(ctx context.Context, store *tokens.Store, clientID string, progress func(done, total int)) (removed int, err error)

// upTo returns a purge of the tokens that were issued at or before the given time.
func upTo(instant time.Time) purge {
	return func(ctx context.Context, store *tokens.Store, clientID string, progress func(done, total int)) (int, error) {
		return store.Purge(ctx, clientID, instant, progress)
	}
}

// everything is the purge for a client that no longer exists.
func everything(ctx context.Context, store *tokens.Store, clientID string, progress func(done, total int)) (int, error) {
	return store.PurgeAll(ctx, clientID, progress)
}

// revocationView is a revocation of many tokens in JSON. Times are in seconds.
type revocationView struct {
	ClientID            string `json:"client_id,omitempty"`
	DisabledAt          *int64 `json:"disabled_at,omitempty"`
	TokensRevokedBefore *int64 `json:"tokens_revoked_before,omitempty"`
	KeysRemoved         int    `json:"keys_removed"`
}

const againOrLeave = "run the command again to remove the rest, or leave them: they expire by themselves"

// finish deletes the keys. Its error says what is done and what is not. If store is nil, there are no
// tokens.
func (r revocation) finish(c *console, store *tokens.Store) (removed int, err error) {
	if store == nil {
		return 0, nil
	}
	var total int
	for _, id := range r.of {
		bar := progress(c.err, id)
		gone, err := r.purge(c, store, id, func(done, of int) {
			total = of
			bar(done, of)
		})
		bar(0, 0)
		removed += gone
		if err != nil {
			return removed, r.incomplete(c, removed, total, err)
		}
	}
	return removed, nil
}

func (r revocation) incomplete(c *console, removed, total int, err error) error {
	keys := count(removed)
	if len(r.of) == 1 && total > 0 {
		keys = humanize.Comma(int64(removed)) + " of " + count(total)
	}
	before := "Redis stopped answering: " + err.Error()
	if c.Err() != nil {
		before = "the interruption"
	}
	return fmt.Errorf("%s; %s removed before %s; %s", r.fact, were(keys, removed), before, r.resume)
}

// report prints the result of finish.
func (f outputFlag) report(c *console, r revocation, view revocationView) error {
	if f.Output == "json" {
		return f.print(c, view, nil, nil)
	}
	_, err := fmt.Fprintf(c.out, "%s; %s removed from Redis\n", r.fact, were(count(view.KeysRemoved), view.KeysRemoved))
	return err
}

func count(keys int) string {
	if keys == 1 {
		return "1 key"
	}
	return humanize.Comma(int64(keys)) + " keys"
}

func were(keys string, number int) string {
	if number == 1 {
		return keys + " was"
	}
	return keys + " were"
}

// progress returns a function that shows the progress of a purge on a terminal. Calling it with a total of
// 0 removes the display.
func progress(out io.Writer, description string) func(done, total int) {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return func(int, int) {}
	}
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		switch {
		case total == 0 && bar != nil:
			_ = bar.Clear() // a remainder on the screen does no harm
		case total > 0 && bar == nil:
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(description),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
			_ = bar.Set(done)
		case total > 0:
			bar.ChangeMax(total)
			_ = bar.Set(done)
		}
	}
}

// unconfirmed explains what a failed change in the database means for a revocation.
func unconfirmed(id string, err error) error {
	if errors.Is(err, models.ErrClientNotFound) {
		return noSuchClient(id, err)
	}
	return fmt.Errorf("the database has not confirmed the change, so no key was removed from Redis; run the command again: %s", explain(err))
}
