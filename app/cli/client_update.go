package cli

import (
	"errors"

	"chit/admin"
	"chit/app"
)

type clientUpdateCommand struct {
	actionFlags `embed:""`

	ID             string       `arg:"" name:"id" help:"The client_id."`
	Name           *string      `placeholder:"TEXT" help:"Name of the client, for people."`
	Scope          *string      `placeholder:"\"A B\"" help:"All scopes that the client may have from now on, separated by spaces. Issued tokens keep their scopes."`
	ResourceServer *bool        `negatable:"" help:"Whether the client may introspect the tokens of all clients."`
	TTL            app.Duration `name:"ttl" default:"0s" placeholder:"DURATION" help:"Lifetime of its tokens from now on, such as 900s."`
	ServerTTL      bool         `name:"server-ttl" help:"Use the server's lifetime for its tokens."`

	authenticationFlags `embed:""`
	restrictionFlags    `embed:""`
}

func (*clientUpdateCommand) Help() string {
	return "Values that you do not give stay as they are. A secret is kept while the client has another method, and does not work then.\n\nExample:\n\n  chit client update billing-job --scope \"invoices.read\" --ttl 15m\n  chit client update billing-job --auth-method private_key_jwt --jwks-uri https://jobs.example.com/keys\n  chit client update billing-job --auth-method secret\n  chit client update billing-job --allowed-resources \"https://invoices.example.com https://payments.example.com\"\n  chit client update billing-job --allowed-resources \"\" --no-dpop-bound"
}

// Run changes the client and prints it.
func (cmd *clientUpdateCommand) Run(c *console) error {
	changes := cmd.changes()
	var err error
	changes.Authentication, err = cmd.authentication(c)
	if err := errors.Join(err, cmd.check(changes)); err != nil {
		return usageError{err}
	}
	return cmd.withActions(c, func(actions admin.Actions) error {
		client, err := actions.Update(c, cmd.ID, changes)
		if errors.As(err, new(admin.Invalid)) {
			return usageError{flagFaults(err)}
		}
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		return cmd.printClient(c, client)
	})
}

func (cmd *clientUpdateCommand) changes() admin.Changes {
	changes := admin.Changes{ClientName: cmd.Name, Scope: cmd.Scope, ResourceServer: cmd.ResourceServer, Restrictions: cmd.restrictions()}
	if cmd.ServerTTL || cmd.TTL.Given() {
		lifetime := int64(cmd.TTL.Seconds())
		changes.TokenTTLSeconds = &lifetime
	}
	return changes
}

func (cmd *clientUpdateCommand) check(changes admin.Changes) error {
	faults := []error{cmd.Resolve(), cmd.auditFlag.check()}
	if !cmd.ServerTTL && cmd.authenticationFlags == (authenticationFlags{}) && changes == (admin.Changes{}) {
		faults = append(faults, errors.New("there is nothing to change: give --name, --scope, --[no-]resource-server, --ttl, --server-ttl, --auth-method, --jwks, --jwks-uri, --tls-…, --allowed-resources, --resource, --[no-]dpop-bound or --[no-]certificate-bound"))
	}
	if cmd.TTL.Given() {
		if err := cmd.TTL.CheckLifetime("--ttl"); err != nil {
			faults = append(faults, err)
			changes.TokenTTLSeconds = nil
		}
	}
	faults = append(faults, flagFaults(changes.Check()))
	if cmd.TTL.Given() && cmd.ServerTTL {
		faults = append(faults, errors.New("--ttl and --server-ttl contradict each other: keep one"))
	}
	return errors.Join(faults...)
}
