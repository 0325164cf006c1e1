package cli

import (
	"errors"
	"fmt"

	"chit/admin"
)

type clientDisableCommand struct {
	actionFlags `embed:""`
	yesFlag     `embed:""`

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
	return cmd.withTokenActionsIfAny(c, func(actions admin.Actions) error {
		ended, err := actions.Disable(c, cmd.ID)
		if err != nil {
			return unconfirmed(cmd.ID, err)
		}
		r := revocation{ended, fmt.Sprintf("client %s is disabled, and %s", cmd.ID, inactiveAsOf("its tokens", ended)), againOrLeave}
		removed, err := r.finish(c)
		if err != nil {
			return err
		}
		return cmd.report(c, r, revocationView{cmd.ID, seconds(ended.Client.DisabledAt), seconds(&ended.Before), removed})
	})
}

type clientEnableCommand struct {
	actionFlags `embed:""`

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
	return cmd.withActions(c, func(actions admin.Actions) error {
		client, err := actions.Enable(c, cmd.ID)
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		return cmd.printClient(c, client)
	})
}

type clientDeleteCommand struct {
	actionFlags `embed:""`
	yesFlag     `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*clientDeleteCommand) Help() string {
	return "The command disables the client first. Within a second, its tokens are inactive on every node. Then the command deletes the client and the keys in Redis. After Ctrl-C, run the command again, or `chit token revoke --client`, to delete the rest.\n\nExample:\n\n  chit client delete billing-job --yes"
}

// Run deletes the client and the keys of its tokens.
func (cmd *clientDeleteCommand) Run(c *console) error {
	if err := errors.Join(cmd.Complete(), cmd.auditFlag.check()); err != nil {
		return usageError{err}
	}
	if err := cmd.confirm(c, fmt.Sprintf("Delete client %q and revoke all its tokens?", cmd.ID)); err != nil {
		return err
	}
	c, stop := c.interruptible()
	defer stop()
	return cmd.withTokenActionsIfAny(c, func(actions admin.Actions) error {
		ended, err := actions.Delete(c, cmd.ID)
		if half, ok := errors.AsType[admin.NotDeleted](err); ok {
			return cmd.notDeleted(c, half)
		}
		if err != nil {
			return unconfirmed(cmd.ID, err)
		}
		// Tokens that remain would belong to the new client.
		resume := fmt.Sprintf("`chit token revoke --client %s` removes the rest: run it before a client of this id is registered again", cmd.ID)
		r := revocation{ended, fmt.Sprintf("client %s is deleted, and its tokens are inactive", cmd.ID), resume}
		removed, err := r.finish(c)
		if err != nil {
			return err
		}
		return cmd.report(c, r, revocationView{ClientID: cmd.ID, KeysRemoved: removed})
	})
}

func (cmd *clientDeleteCommand) notDeleted(c *console, half admin.NotDeleted) error {
	why := explain(half.Cause)
	if c.Err() != nil {
		why = "interrupted"
	}
	return fmt.Errorf("client %s is disabled and its tokens are inactive, but it is not deleted: %s; run the command again", cmd.ID, why)
}
