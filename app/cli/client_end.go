package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"chit/repository"
	"chit/tokens"
)

type clientDisableCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`
	yesFlag    `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*clientDisableCommand) Help() string {
	return "Every node refuses the client and treats its tokens as inactive at once. Then the command deletes the keys in Redis. You can stop that with Ctrl-C.\n\nExample:\n\n  chit client disable billing-job --yes"
}

// Run disables the client and deletes the keys of its tokens.
func (cmd *clientDisableCommand) Run(c *console) error {
	if err := errors.Join(cmd.Complete(), cmd.auditFlag.check()); err != nil {
		return usageError{err}
	}
	if err := cmd.confirm(c, fmt.Sprintf("Disable client %q and revoke all its tokens?", cmd.ID)); err != nil {
		return err
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokensIfAny(c, func(clients *repository.Clients, store *tokens.Store) error {
		client, err := clients.Disable(c, cmd.ID)
		if err != nil {
			return unconfirmed(cmd.ID, err)
		}
		cmd.note(c, auditClientDisabled, slog.String("client_id", cmd.ID))
		r := revocation{
			fact:   fmt.Sprintf("client %s is disabled, and its tokens are inactive as of %s UTC", cmd.ID, toTheMillisecond(*client.TokensRevokedBefore)),
			resume: againOrLeave,
			of:     []string{cmd.ID},
			purge:  upTo(*client.TokensRevokedBefore),
		}
		removed, err := r.finish(c, store)
		if err != nil {
			return err
		}
		return cmd.report(c, r, revocationView{cmd.ID, seconds(client.DisabledAt), seconds(client.TokensRevokedBefore), removed})
	})
}

type clientEnableCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*clientEnableCommand) Help() string {
	return "Tokens that `chit client disable` has revoked stay revoked. If the client was disabled by SQL alone, its tokens are active again.\n\nExample:\n\n  chit client enable billing-job"
}

// Run enables the client and prints it.
func (cmd *clientEnableCommand) Run(c *console) error {
	if err := errors.Join(cmd.Resolve(), cmd.auditFlag.check()); err != nil {
		return usageError{err}
	}
	return cmd.withClients(c, func(clients *repository.Clients) error {
		client, err := clients.Enable(c, cmd.ID)
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		cmd.note(c, auditClientEnabled, slog.String("client_id", cmd.ID))
		return cmd.printClient(c, client)
	})
}

type clientDeleteCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`
	yesFlag    `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*clientDeleteCommand) Help() string {
	return "The command disables the client first. Within a second, its tokens are inactive on every node. Then the command deletes the client and the keys in Redis. After Ctrl-C, run the command again, or `chit token revoke --client`, to delete the rest.\n\nExample:\n\n  chit client delete billing-job --yes"
}

// Run deletes the client and the keys of its tokens. It disables the client first and waits until every
// node knows, so that tokens that a node has issued meanwhile are deleted, too.
func (cmd *clientDeleteCommand) Run(c *console) error {
	if err := errors.Join(cmd.Complete(), cmd.auditFlag.check()); err != nil {
		return usageError{err}
	}
	if err := cmd.confirm(c, fmt.Sprintf("Delete client %q and revoke all its tokens?", cmd.ID)); err != nil {
		return err
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokensIfAny(c, func(clients *repository.Clients, store *tokens.Store) error {
		if _, err := clients.Disable(c, cmd.ID); err != nil {
			return unconfirmed(cmd.ID, err)
		}
		cmd.note(c, auditClientDisabled, slog.String("client_id", cmd.ID))
		if err := cmd.letNodesHear(c, store); err != nil {
			return err
		}
		if err := clients.Delete(c, cmd.ID); err != nil {
			return cmd.notDeleted(explain(err))
		}
		cmd.note(c, auditClientDeleted, slog.String("client_id", cmd.ID))
		r := revocation{
			fact: fmt.Sprintf("client %s is deleted, and its tokens are inactive", cmd.ID),
			// Tokens that remain would belong to the new client.
			resume: fmt.Sprintf("`chit token revoke --client %s` removes the rest: run it before a client of this id is registered again", cmd.ID),
			of:     []string{cmd.ID},
			purge:  everything,
		}
		removed, err := r.finish(c, store)
		if err != nil {
			return err
		}
		return cmd.report(c, r, revocationView{ClientID: cmd.ID, KeysRemoved: removed})
	})
}

// letNodesHear waits until every node knows that the client is disabled. In the embedded mode the server
// has no cache, so there is nothing to wait for.
func (cmd *clientDeleteCommand) letNodesHear(c *console, store *tokens.Store) error {
	if store == nil || cmd.Embedded() {
		return nil
	}
	select {
	case <-time.After(settled):
		return nil
	case <-c.Done():
		return cmd.notDeleted("interrupted")
	}
}

func (cmd *clientDeleteCommand) notDeleted(why string) error {
	return fmt.Errorf("client %s is disabled and its tokens are inactive, but it is not deleted: %s; run the command again", cmd.ID, why)
}
