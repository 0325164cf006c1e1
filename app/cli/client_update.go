package cli

import (
	"errors"
	"log/slog"

	"chit/app"
	"chit/models"
	"chit/repository"
)

type clientUpdateCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`

	ID             string       `arg:"" name:"id" help:"The client_id."`
	Name           *string      `placeholder:"TEXT" help:"Name of the client, for people."`
	Scope          *string      `placeholder:"\"A B\"" help:"All scopes that the client may have from now on, separated by spaces. Issued tokens keep their scopes."`
	ResourceServer *bool        `negatable:"" help:"Whether the client may introspect the tokens of all clients."`
	TTL            app.Duration `name:"ttl" default:"0s" placeholder:"DURATION" help:"Lifetime of its tokens from now on, such as 900s."`
	ServerTTL      bool         `name:"server-ttl" help:"Use the server's lifetime for its tokens."`
}

func (*clientUpdateCommand) Help() string {
	return "Values that you do not give stay as they are.\n\nExample:\n\n  chit client update billing-job --scope \"invoices.read\" --ttl 15m"
}

// Run changes the client and prints it.
func (cmd *clientUpdateCommand) Run(c *console) error {
	if err := cmd.check(); err != nil {
		return usageError{err}
	}
	changes := repository.Changes{Name: cmd.Name, ResourceServer: cmd.ResourceServer}
	if cmd.Scope != nil {
		scope := models.ParseScopes(*cmd.Scope).String()
		changes.Scope = &scope
	}
	if cmd.ServerTTL || cmd.TTL.Given() {
		lifetime := int64(cmd.TTL.Seconds())
		changes.TokenTTLSeconds = &lifetime
	}
	return cmd.withClients(c, func(clients *repository.Clients) error {
		client, err := clients.Update(c, cmd.ID, changes)
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		cmd.note(c, auditClientUpdated, cmd.changed(client)...)
		return cmd.printClient(c, client)
	})
}

// changed returns the changed fields for the audit log.
func (cmd *clientUpdateCommand) changed(client *models.Client) []slog.Attr {
	attributes := []slog.Attr{slog.String("client_id", client.ClientID)}
	if cmd.Name != nil {
		attributes = append(attributes, slog.String("client_name", client.ClientName))
	}
	if cmd.Scope != nil {
		attributes = append(attributes, slog.String("scope", client.AllowedScopes))
	}
	if cmd.ResourceServer != nil {
		attributes = append(attributes, slog.Bool("is_resource_server", client.IsResourceServer))
	}
	if cmd.ServerTTL || cmd.TTL.Given() {
		attributes = append(attributes, slog.Any("token_ttl_seconds", client.TokenTTLSeconds))
	}
	return attributes
}

func (cmd *clientUpdateCommand) check() error {
	faults := []error{cmd.Resolve(), cmd.auditFlag.check()}
	if cmd.Name == nil && cmd.Scope == nil && cmd.ResourceServer == nil && !cmd.TTL.Given() && !cmd.ServerTTL {
		faults = append(faults, errors.New("there is nothing to change: give --name, --scope, --[no-]resource-server, --ttl or --server-ttl"))
	}
	if cmd.Scope != nil {
		faults = append(faults, checkScope(*cmd.Scope))
	}
	if cmd.TTL.Given() {
		faults = append(faults, cmd.TTL.CheckLifetime("--ttl"))
	}
	if cmd.TTL.Given() && cmd.ServerTTL {
		faults = append(faults, errors.New("--ttl and --server-ttl contradict each other: keep one"))
	}
	return errors.Join(faults...)
}
