package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"chit/models"
	"chit/repository"
	"chit/tokens"
)

type tokenListCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`

	Client string `required:"" placeholder:"ID" help:"The client_id."`
}

func (*tokenListCommand) Help() string {
	return "The tokens are ordered by expiry. Inactive tokens are listed while Redis has their keys.\n\nExample:\n\n  chit token list --client billing-job"
}

// Run prints the tokens while it reads them, because a client may have a million.
func (cmd *tokenListCommand) Run(c *console) error {
	if err := cmd.Complete(); err != nil {
		return usageError{err}
	}
	return cmd.withTokens(c, func(clients *repository.Clients, store *tokens.Store) error {
		issuer, err := clients.Find(c, cmd.Client)
		if err != nil && !errors.Is(err, models.ErrClientNotFound) {
			return err
		}
		out := bufio.NewWriter(c.out)
		list := tokenTable
		if cmd.Output == "json" {
			list = tokenArray
		}
		found := 0
		write := list(out)
		for token, err := range store.List(c, cmd.Client) {
			if err != nil {
				return errors.Join(err, out.Flush())
			}
			if err := write(&token, issuer); err != nil {
				return err
			}
			found++
		}
		// A deleted client may have left tokens.
		if found == 0 && issuer == nil {
			return noSuchClient(cmd.Client, models.ErrClientNotFound)
		}
		return errors.Join(write(nil, nil), out.Flush())
	})
}

// tokenWriter writes a token. A nil token ends the list.
type tokenWriter func(token *models.AccessToken, issuer *models.Client) error

// tokenTable writes a table like print. It knows the column widths in advance, so it need not keep all
// rows.
func tokenTable(out io.Writer) tokenWriter {
	const layout = "%-64s  %-19s  %-19s  %-6s  %s\n"
	first := true
	return func(token *models.AccessToken, issuer *models.Client) (err error) {
		if first {
			_, err = fmt.Fprintf(out, layout, "JTI", "ISSUED (UTC)", "EXPIRES (UTC)", "ACTIVE", "SCOPE")
			first = false
		}
		if token == nil || err != nil {
			return err
		}
		active := "no"
		if tokenViewOf(*token, issuer).Active {
			active = "yes"
		}
		_, err = fmt.Fprintf(out, layout, token.ID, dateTime(token.IssuedAt), dateTime(token.ExpiresAt), active, token.Scope)
		return err
	}
}

// tokenArray writes a JSON array with one element on each line.
func tokenArray(out io.Writer) tokenWriter {
	before := "["
	return func(token *models.AccessToken, issuer *models.Client) error {
		if token == nil {
			if before == "[" {
				_, err := fmt.Fprintln(out, "[]")
				return err
			}
			_, err := fmt.Fprintln(out, "\n]")
			return err
		}
		element, err := json.Marshal(tokenViewOf(*token, issuer))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n  %s", before, element)
		before = ","
		return err
	}
}
