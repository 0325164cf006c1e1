package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/app"
	"chit/models"
)

type clientRotateCommand struct {
	actionFlags `embed:""`
	secretFlag  `embed:""`
	yesFlag     `embed:""`

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
		return cmd.withActions(c, func(actions admin.Actions) error {
			_, err := cmd.rotate(c, actions)
			return err
		})
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokenActionsIfAny(c, func(actions admin.Actions) error {
		ended, err := cmd.rotate(c, actions)
		if err == nil {
			err = cmd.settle(c, ended)
		}
		if err != nil {
			return err
		}
		resume := fmt.Sprintf("`chit token revoke --client %s` removes the rest, or leave them: they expire by themselves", cmd.ID)
		r := revocation{ended, inactiveAsOf("the tokens of "+cmd.ID, ended), resume}
		removed, err := r.finish(c)
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
	return admin.DefaultOverlap
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

// rotate changes the secret and prints it. It returns the revocation of the tokens, if there is one.
func (cmd *clientRotateCommand) rotate(c *console, actions admin.Actions) (*admin.Revocation, error) {
	actions.Prefix = cmd.TokenPrefix
	rotated, err := actions.Rotate(c, cmd.ID, admin.Rotation{Overlap: cmd.overlap(), RevokeTokens: cmd.RevokeTokens})
	switch {
	case errors.Is(err, models.ErrClientNotFound):
		return nil, noSuchClient(cmd.ID, err)
	case errors.Is(err, models.ErrPublicClient):
		return nil, fmt.Errorf("client %q is public: it has no secret", cmd.ID)
	case errors.Is(err, models.ErrNoSecret):
		return nil, fmt.Errorf("client %q authenticates without a secret: `chit client show %s` says how", cmd.ID, cmd.ID)
	case err != nil:
		return nil, fmt.Errorf("the database has not confirmed the new secret, so it was not printed; run the command again: %s", explain(err))
	}
	// The secret is printed before anything else can fail, because it is valid from now on.
	if err := cmd.printSecret(c, rotated); err != nil {
		return nil, fmt.Errorf("the secret of %s is changed, but the new one could not be printed and is lost: run the command again: %w", cmd.ID, err)
	}
	return rotated.Revocation, nil
}

// settle revokes what nodes have issued for the old secret because they did not know of the rotation yet.
func (cmd *clientRotateCommand) settle(c *console, ended *admin.Revocation) error {
	if err := ended.Settle(c); err != nil {
		return fmt.Errorf("the secret is changed, and the tokens issued until %s UTC are inactive; run `chit token revoke --client %s` to end what was issued within a second after, and to remove the keys: %s",
			toTheMillisecond(ended.Before), cmd.ID, explain(err))
	}
	return nil
}

func (cmd *clientRotateCommand) printSecret(c *console, rotated admin.Rotated) error {
	details := detailsOf(rotated.Client)
	details.clientView = details.withSecret(rotated.Secret)
	header, row := table.Row{"CLIENT_ID", "CLIENT_SECRET"}, table.Row{cmd.ID, rotated.Secret}
	if !rotated.OldExpires.IsZero() {
		header = append(header, "OLD SECRET WORKS UNTIL (UTC)")
		row = append(row, dateTime(rotated.OldExpires))
	}
	return cmd.print(c, details, header, []table.Row{row})
}
