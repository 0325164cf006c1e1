package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"chit/admin"
	"chit/models"
	"chit/transfer"
)

// maxImport is the size of the largest file, in bytes.
const maxImport = 256 << 20

type clientImportCommand struct {
	actionFlags `embed:""`
	secretFlag  `embed:""`
	yesFlag     `embed:""`

	File         string `arg:"" name:"file" help:"The file; - is standard input, which needs --yes or --dry-run."`
	Format       string `enum:"auto,chit,hydra,keycloak,csv" default:"auto" placeholder:"FORMAT" help:"chit, hydra, keycloak or csv (default: by the content)."`
	DryRun       bool   `help:"Show what would be done, and do nothing."`
	SkipExisting bool   `help:"Leave out clients whose id is taken. Without it, such an id is a fault."`
	NewSecrets   bool   `help:"Give clients without a usable secret a new one, and print it. It is not shown again."`
}

func (*clientImportCommand) Help() string {
	return `Reads clients from a file, shows what becomes of each, and asks. Then it registers all of them, or none.

The formats are chit, which chit client export prints; hydra, the answer to GET /admin/clients of Ory Hydra, which never has hashes of secrets; keycloak, the export of a realm, whose plain secrets go on working; and csv, with a line of names and then a line for each client. The names are client_id, client_name, scope, client_secret, client_secret_hash, is_resource_server, token_ttl_seconds and disabled, in any order.

A client without a usable secret cannot log in until it gets one: by --new-secrets, or by chit client rotate-secret.

Examples:

  chit client export | chit client import - --skip-existing --dry-run

  printf 'client_id,scope\nreport-job,reports.read\n' | chit client import - --new-secrets --yes`
}

// Run imports the clients.
func (cmd *clientImportCommand) Run(c *console) error {
	if err := errors.Join(cmd.Resolve(), cmd.auditFlag.check(), cmd.secretFlag.check()); err != nil {
		return usageError{err}
	}
	content, err := cmd.read(c)
	if err != nil {
		return err
	}
	entries, format, err := transfer.Read(content, transfer.Format(cmd.Format))
	if err != nil {
		return err
	}
	return cmd.withActions(c, func(actions admin.Actions) error {
		actions.Prefix = cmd.TokenPrefix
		p, err := cmd.plan(c, actions, entries, format)
		if err != nil {
			return err
		}
		if err := p.show(c, cmd.outputFlag, cmd.DryRun); err != nil || cmd.DryRun {
			return errors.Join(err, p.fault())
		}
		if err := p.fault(); err != nil {
			return err
		}
		if len(p.clients) == 0 {
			return nil
		}
		if err := cmd.confirm(c, fmt.Sprintf("Import %s?", clientCount(len(p.clients)))); err != nil {
			return err
		}
		return cmd.run(c, actions, p)
	})
}

func (cmd *clientImportCommand) read(c *console) (content []byte, err error) {
	in := c.in
	if cmd.File != "-" {
		if in, err = os.Open(cmd.File); err != nil {
			return nil, err
		}
		defer in.Close()
	}
	content, err = io.ReadAll(io.LimitReader(in, maxImport+1))
	if err == nil && len(content) > maxImport {
		err = errors.New("the file is larger than 256 MiB")
	}
	return content, err
}

// run registers the clients of the plan.
func (cmd *clientImportCommand) run(c *console, actions admin.Actions, p *importPlan) error {
	if cmd.NewSecrets {
		p.giveSecrets(actions)
	}
	show := progress(c.err)
	err := actions.Import(c, p.clients, func(done int) { show("importing", done, len(p.clients)) })
	show("importing", 0, 0)
	if errors.Is(err, models.ErrClientExists) {
		return errors.New("nothing was imported: somebody has registered one of the clients meanwhile: run the command again")
	}
	if err != nil {
		return err
	}
	return p.report(c, cmd.outputFlag)
}

func clientCount(n int) string {
	if n == 1 {
		return "1 client"
	}
	return strings.TrimSuffix(count(n), " keys") + " clients"
}
