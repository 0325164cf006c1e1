package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"chit/models"
	"chit/repository"
	"chit/tokens"
)

type tokenRevokeCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`
	yesFlag    `embed:""`
	oneToken   `embed:""`

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
		return cmd.withTokens(c, func(_ *repository.Clients, store *tokens.Store) error { return cmd.revokeOne(c, store) })
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
	return cmd.withTokens(c, func(clients *repository.Clients, store *tokens.Store) error {
		if cmd.All {
			return cmd.revokeAll(c, clients, store)
		}
		return cmd.revokeClient(c, clients, store)
	})
}

func (cmd *tokenRevokeCommand) revokeOne(c *console, store *tokens.Store) error {
	token, err := cmd.find(c, store)
	if errors.Is(err, models.ErrUnavailable) {
		return fmt.Errorf("the token is not revoked: run the command again: %w", err)
	}
	if err != nil {
		return err
	}
	if err := store.Revoke(c, token); err != nil {
		return fmt.Errorf("the revocation is not acknowledged, and the token may still be active: run the command again: %w", err)
	}
	cmd.note(c, auditTokenRevoked, slog.String("client_id", token.ClientID), slog.String("jti", token.ID))
	if cmd.Output == "json" {
		view := tokenViewOf(token, nil) // so that it shows the token as inactive
		return cmd.print(c, view, nil, nil)
	}
	_, err = fmt.Fprintf(c.out, "token %s of %s is revoked\n", token.ID, token.ClientID)
	return err
}

func (cmd *tokenRevokeCommand) revokeClient(c *console, clients *repository.Clients, store *tokens.Store) error {
	r := revocation{resume: againOrLeave, of: []string{cmd.Client}}
	view := revocationView{ClientID: cmd.Client}
	instant, err := clients.RevokeTokens(c, cmd.Client)
	unknown := errors.Is(err, models.ErrClientNotFound)
	switch {
	case unknown:
		r.fact = fmt.Sprintf("there is no client %s, and so its tokens are inactive", cmd.Client)
		r.purge = everything
	case err != nil:
		return unconfirmed(cmd.Client, err)
	default:
		r.fact = fmt.Sprintf("the tokens of %s are inactive as of %s UTC", cmd.Client, toTheMillisecond(instant))
		r.purge = upTo(instant)
		view.TokensRevokedBefore = seconds(&instant)
		cmd.note(c, auditTokensRevoked, slog.String("client_id", cmd.Client))
	}
	if view.KeysRemoved, err = r.finish(c, store); err != nil {
		return err
	}
	if unknown && view.KeysRemoved == 0 {
		return fmt.Errorf("there is no client %q and no token of such a client", cmd.Client)
	}
	if unknown {
		cmd.note(c, auditTokensRevoked, slog.String("client_id", cmd.Client))
	}
	return cmd.report(c, r, view)
}

func (cmd *tokenRevokeCommand) revokeAll(c *console, clients *repository.Clients, store *tokens.Store) error {
	instant, err := clients.RevokeAllTokens(c)
	if err != nil {
		return unconfirmed("", err)
	}
	cmd.note(c, auditTokensRevoked, slog.Bool("all", true))
	r := revocation{
		fact:   fmt.Sprintf("all tokens are inactive as of %s UTC", toTheMillisecond(instant)),
		resume: againOrLeave,
		purge:  upTo(instant),
	}
	all, err := clients.List(c, repository.Page{})
	if err != nil {
		return fmt.Errorf("%s; no key was removed, since the database did not name the clients: %s; %s", r.fact, explain(err), r.resume)
	}
	for i := range all {
		r.of = append(r.of, all[i].ClientID)
	}
	view := revocationView{TokensRevokedBefore: seconds(&instant)}
	if view.KeysRemoved, err = r.finish(c, store); err != nil {
		return err
	}
	return cmd.report(c, r, view)
}
