package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/app"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// defaultOverlap is how long the old secret works by default. It leaves time to deploy the new secret.
const defaultOverlap = 24 * time.Hour

// settled is how long it takes at most until every node knows of a change in the database.
const settled = time.Second

type clientRotateCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	secretFlag `embed:""`
	auditFlag  `embed:""`
	yesFlag    `embed:""`

	ID           string        `arg:"" name:"id" help:"The client_id."`
	Overlap      *app.Duration `placeholder:"DURATION" help:"The old secret works for this long, too (default 24h, and 0s with --revoke-tokens). 0s ends it at once."`
	RevokeTokens bool          `help:"Also revoke all tokens of the client. Without an overlap the command waits for a second, to revoke tokens that nodes have just issued for the old secret."`
}

func (*clientRotateCommand) Help() string {
	return "By default the old secret works for 24 hours, and the output says until when. Secrets that were retired earlier work until they expire.\n\nExample, without downtime:\n\n  chit client rotate-secret billing-job --overlap 24h\n\nExample, for a secret that has leaked:\n\n  chit client rotate-secret billing-job --overlap 0s --revoke-tokens --yes"
}

// Run gives the client a new secret and prints it.
func (cmd *clientRotateCommand) Run(c *console) error {
	if err := cmd.check(); err != nil {
		return usageError{err}
	}
	if question := cmd.question(); question != "" {
		if err := cmd.confirm(c, question); err != nil {
			return err
		}
	}
	if !cmd.RevokeTokens {
		return cmd.withClients(c, func(clients *repository.Clients) error {
			_, err := cmd.rotate(c, clients)
			return err
		})
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokensIfAny(c, func(clients *repository.Clients, store *tokens.Store) error {
		instant, err := cmd.rotate(c, clients)
		if err != nil {
			return err
		}
		r := revocation{
			fact:   fmt.Sprintf("the tokens of %s are inactive as of %s UTC", cmd.ID, toTheMillisecond(instant)),
			resume: fmt.Sprintf("`chit token revoke --client %s` removes the rest, or leave them: they expire by themselves", cmd.ID),
			of:     []string{cmd.ID},
			purge:  upTo(instant),
		}
		removed, err := r.finish(c, store)
		if err != nil || cmd.Output == "json" {
			return err // the output already has one JSON value
		}
		return cmd.report(c, r, revocationView{KeysRemoved: removed})
	})
}

// overlap returns how long the old secret works. With --revoke-tokens the default is 0, because the old
// secret is not trusted.
func (cmd *clientRotateCommand) overlap() time.Duration {
	switch {
	case cmd.Overlap != nil:
		return cmd.Overlap.Duration
	case cmd.RevokeTokens:
		return 0
	}
	return defaultOverlap
}

// question returns the question to ask first, or an empty text if clients keep working.
func (cmd *clientRotateCommand) question() string {
	switch ends := cmd.overlap() == 0; {
	case ends && cmd.RevokeTokens:
		return fmt.Sprintf("Give client %q a new secret, end the old one at once and revoke all its tokens?", cmd.ID)
	case ends:
		return fmt.Sprintf("Give client %q a new secret and end the old one at once?", cmd.ID)
	case cmd.RevokeTokens:
		return fmt.Sprintf("Give client %q a new secret and revoke all its tokens?", cmd.ID)
	}
	return ""
}

func (cmd *clientRotateCommand) check() error {
	faults := []error{cmd.secretFlag.check(), cmd.auditFlag.check()}
	if cmd.Overlap != nil {
		faults = append(faults, cmd.Overlap.Check("--overlap", 0))
	}
	if cmd.RevokeTokens {
		return errors.Join(append(faults, cmd.Complete())...)
	}
	return errors.Join(append(faults, cmd.Resolve())...)
}

// rotate changes the secret and prints it. If tokens are revoked, it returns the time up to which they are.
func (cmd *clientRotateCommand) rotate(c *console, clients *repository.Clients) (revoked time.Time, err error) {
	secret := cmd.mint()
	client, oldExpires, err := clients.RotateSecret(c, cmd.ID, repository.Rotation{
		SecretHash:   models.HashSecret(secret),
		Overlap:      cmd.overlap(),
		RevokeTokens: cmd.RevokeTokens,
	})
	switch {
	case errors.Is(err, models.ErrClientNotFound):
		return time.Time{}, noSuchClient(cmd.ID, err)
	case errors.Is(err, models.ErrPublicClient):
		return time.Time{}, fmt.Errorf("client %q is public: it has no secret", cmd.ID)
	case err != nil:
		return time.Time{}, fmt.Errorf("the database has not confirmed the new secret, so it was not printed; run the command again: %s", explain(err))
	}
	// The secret is printed before anything else can fail, because it is valid from now on.
	printErr := cmd.printSecret(c, client, secret, oldExpires)
	if printErr != nil {
		printErr = fmt.Errorf("the secret of %s is changed, but the new one could not be printed and is lost: run the command again: %w", cmd.ID, printErr)
	}
	cmd.note(c, auditSecretRotated, slog.String("client_id", cmd.ID), slog.String("overlap", cmd.overlap().String()), slog.Bool("tokens_revoked", cmd.RevokeTokens))
	if cmd.RevokeTokens && cmd.overlap() == 0 {
		err = cmd.revokeStragglers(c, clients, client)
	}
	if client.TokensRevokedBefore != nil {
		revoked = *client.TokensRevokedBefore
	}
	return revoked, errors.Join(printErr, err)
}

// revokeStragglers revokes the tokens that nodes have issued for the old secret because they did not know
// of the rotation yet. Tokens that were issued for the new secret in this time are revoked, too.
func (cmd *clientRotateCommand) revokeStragglers(c *console, clients *repository.Clients, client *models.Client) error {
	select {
	case <-time.After(settled):
	case <-c.Done():
	}
	instant, err := clients.RevokeTokens(c, cmd.ID)
	if err != nil {
		return fmt.Errorf("the secret is changed, and the tokens issued until %s UTC are inactive; run `chit token revoke --client %s` to end what was issued within a second after, and to remove the keys: %s",
			toTheMillisecond(*client.TokensRevokedBefore), cmd.ID, explain(err))
	}
	client.TokensRevokedBefore = &instant
	return nil
}

func (cmd *clientRotateCommand) printSecret(c *console, client *models.Client, secret string, oldExpires time.Time) error {
	details := detailsOf(client)
	details.clientView = details.withSecret(secret)
	header, row := table.Row{"CLIENT_ID", "CLIENT_SECRET"}, table.Row{client.ClientID, secret}
	if !oldExpires.IsZero() {
		header = append(header, "OLD SECRET WORKS UNTIL (UTC)")
		row = append(row, dateTime(oldExpires))
	}
	return cmd.print(c, details, header, []table.Row{row})
}
