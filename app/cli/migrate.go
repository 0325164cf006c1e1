package cli

import (
	"fmt"
	"path"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/migrations"
)

type migrateCommands struct {
	Up     migrateUpCommand     `cmd:"" help:"Apply the pending steps."`
	Status migrateStatusCommand `cmd:"" help:"List the steps and when they were applied."`
}

type migrateUpCommand struct {
	stores `embed:""`
}

func (*migrateUpCommand) Help() string {
	return "It is safe to run this several times at once, also while servers start.\n\nExample:\n\n  chit migrate up --database-url-file /run/secrets/database-url"
}

// Run applies the steps and prints a line for each.
func (cmd *migrateUpCommand) Run(c *console) error {
	if err := cmd.Resolve(); err != nil {
		return usageError{err}
	}
	clients, err := cmd.openOrMake(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	applied, err := migrations.Up(c, clients.DB(), cmd.Dialect())
	for _, step := range applied {
		fmt.Fprintln(c.out, "applied", path.Base(step.Name))
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(c.out, "the database is up to date")
	}
	return err
}

type migrateStatusCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
}

func (*migrateStatusCommand) Help() string {
	return "The exit status is 1 if a step is pending. Steps of a later version of chit are listed, too.\n\nExample:\n\n  chit migrate status --output json"
}

// stepView is a step in JSON.
type stepView struct {
	Version   int64  `json:"version"`
	Name      string `json:"name,omitempty"` // missing if only a later version of chit has the step
	AppliedAt *int64 `json:"applied_at"`     // seconds; null: not applied yet
}

// Run prints every step. It returns an error if a step is pending.
func (cmd *migrateStatusCommand) Run(c *console) error {
	if err := cmd.Resolve(); err != nil {
		return usageError{err}
	}
	clients, err := cmd.openOrMake(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	steps, err := migrations.Status(c, clients.DB(), cmd.Dialect())
	if err != nil {
		return err
	}
	views := make([]stepView, len(steps))
	rows := make([]table.Row, len(steps))
	for i, step := range steps {
		views[i] = stepView{Version: step.Version}
		name := "of a later version of chit"
		if step.Name != "" {
			name = path.Base(step.Name)
			views[i].Name = name
		}
		applied := "pending"
		if !step.AppliedAt.IsZero() {
			views[i].AppliedAt = seconds(&step.AppliedAt)
			applied = dateTime(step.AppliedAt)
		}
		rows[i] = table.Row{step.Version, name, applied}
	}
	if err := cmd.print(c, views, table.Row{"VERSION", "STEP", "APPLIED (UTC)"}, rows); err != nil {
		return err
	}
	if pending, _ := migrations.Count(steps); pending > 0 {
		return fmt.Errorf("the database lacks %d of these steps: run `chit migrate up`", pending)
	}
	return nil
}
