package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"chit/admin"
	"chit/models"
)

// revocation is a revocation in force, and what a command says of it.
type revocation struct {
	*admin.Revocation
	fact   string // what is in force, in words
	resume string // how to delete the remaining keys, in words
}

// revocationView is a revocation of many tokens in JSON. Times are in seconds.
type revocationView struct {
	ClientID            string `json:"client_id,omitempty"`
	DisabledAt          *int64 `json:"disabled_at,omitempty"`
	TokensRevokedBefore *int64 `json:"tokens_revoked_before,omitempty"`
	KeysRemoved         int    `json:"keys_removed"`
}

const againOrLeave = "run the command again to remove the rest, or leave them: they expire by themselves"

// inactiveAsOf is the fact of a revocation of whose tokens.
func inactiveAsOf(whose string, r *admin.Revocation) string {
	return fmt.Sprintf("%s are inactive as of %s UTC", whose, toTheMillisecond(r.Before))
}

// finish deletes the keys. Its error says what is done and what is not.
func (r revocation) finish(c *console) (removed int, err error) {
	removed, err = r.Finish(c, progress(c.err))
	if unfinished, ok := errors.AsType[*admin.Unfinished](err); ok {
		return removed, r.incomplete(c, unfinished)
	}
	return removed, err
}

func (r revocation) incomplete(c *console, unfinished *admin.Unfinished) error {
	keys := count(unfinished.Removed)
	if unfinished.Total > 0 {
		keys = humanize.Comma(int64(unfinished.Removed)) + " of " + count(unfinished.Total)
	}
	before := "Redis stopped answering: " + unfinished.Cause.Error()
	if c.Err() != nil {
		before = "the interruption"
	}
	return fmt.Errorf("%s; %s removed before %s; %s", r.fact, were(keys, unfinished.Removed), before, r.resume)
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

// progress returns a function that shows the progress of a revocation on a terminal.
func progress(out io.Writer) admin.Progress {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return func(string, int, int) {}
	}
	var bar *progressbar.ProgressBar
	return func(client string, done, total int) {
		switch {
		case total == 0 && bar != nil:
			_ = bar.Clear() // a remainder on the screen does no harm
			bar = nil
		case total > 0 && bar == nil:
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(client),
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
