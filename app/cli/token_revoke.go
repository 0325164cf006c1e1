package cli

import (
	"errors"
	"fmt"

	"chit/admin"
	"chit/models"
)

type tokenRevokeCommand struct {
	actionFlags `embed:""`
	yesFlag     `embed:""`
	oneToken    `embed:""`

	Client string `placeholder:"ID" help:"Revoke all tokens of this client that were issued until now. The client can still get new ones."`
	All    bool   `help:"Revoke all tokens of all clients that were issued until now."`
}

func (*tokenRevokeCommand) Help() string {
	return "With --client and --all, the tokens are inactive on every node at once. Then the command deletes the keys in Redis. You can stop that with Ctrl-C.\n\nExamples:\n\n  printf %s \"$TOKEN\" | chit token revoke --token -\n\n  chit token revoke --id $JTI\n\n  chit token revoke --client billing-job --yes\n\n  chit token revoke --all --yes"
}

// Run revokes the selected tokens.
func (cmd *tokenRevokeCommand) Run(c *console) error {
	one := exactlyOne("--id, --token -, --client, --all", cmd.ID != "", cmd.Token != "", cmd.Client != "", cmd.All)
	if err := errors.Join(cmd.Complete(), cmd.oneToken.check(), cmd.auditFlag.check(), one); err != nil {
		return usageError{err}
	}
	if cmd.Client == "" && !cmd.All {
		return cmd.withTokenActions(c, func(actions admin.Actions) error { return cmd.revokeOne(c, actions) })
	}
	question := "Revoke all tokens of all clients?"
	if !cmd.All {
		question = fmt.Sprintf("Revoke all tokens of client %q?", cmd.Client)
	}
	if err := cmd.confirm(c, question); err != nil {
		return err
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokenActions(c, func(actions admin.Actions) error {
		if cmd.All {
			return cmd.revokeAll(c, actions)
		}
		return cmd.revokeClient(c, actions)
	})
}

func (cmd *tokenRevokeCommand) revokeOne(c *console, actions admin.Actions) error {
	token, err := cmd.find(c, actions.Tokens)
	if errors.Is(err, models.ErrUnavailable) {
		return fmt.Errorf("the token is not revoked: run the command again: %w", err)
	}
	if err != nil {
		return err
	}
	if err := actions.RevokeToken(c, token); err != nil {
		return fmt.Errorf("the revocation is not acknowledged, and the token may still be active: run the command again: %w", err)
	}
	if cmd.Output == "json" {
		view := tokenViewOf(token, nil) // so that it shows the token as inactive
		return cmd.print(c, view, nil, nil)
	}
	_, err = fmt.Fprintf(c.out, "token %s of %s is revoked\n", token.ID, token.ClientID)
	return err
}

func (cmd *tokenRevokeCommand) revokeClient(c *console, actions admin.Actions) error {
	ended, err := actions.RevokeTokens(c, cmd.Client)
	if err != nil {
		return unconfirmed(cmd.Client, err)
	}
	r := revocation{ended, "", againOrLeave}
	view := revocationView{ClientID: cmd.Client}
	if ended.Client == nil {
		r.fact = fmt.Sprintf("there is no client %s, and so its tokens are inactive", cmd.Client)
	} else {
		r.fact = inactiveAsOf("the tokens of "+cmd.Client, ended)
		view.TokensRevokedBefore = seconds(&ended.Before)
	}
	if view.KeysRemoved, err = r.finish(c); err != nil {
		return err
	}
	if ended.Client == nil && view.KeysRemoved == 0 {
		return fmt.Errorf("there is no client %q and no token of such a client", cmd.Client)
	}
	return cmd.report(c, r, view)
}

func (cmd *tokenRevokeCommand) revokeAll(c *console, actions admin.Actions) error {
	ended, err := actions.RevokeAllTokens(c)
	if err != nil {
		return unconfirmed("", err)
	}
	r := revocation{ended, inactiveAsOf("all tokens", ended), againOrLeave}
	view := revocationView{TokensRevokedBefore: seconds(&ended.Before)}
	if view.KeysRemoved, err = r.finish(c); err != nil {
		return err
	}
	return cmd.report(c, r, view)
}
