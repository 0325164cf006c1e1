package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/app"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

type clientCommands struct {
	Create       clientCreateCommand  `cmd:"" help:"Register a client and print its generated secret. It is not shown again."`
	List         clientListCommand    `cmd:"" help:"List the clients."`
	Show         clientShowCommand    `cmd:"" help:"Show a client and its retired secrets."`
	Update       clientUpdateCommand  `cmd:"" help:"Change a client's name, scopes, role or lifetime of tokens."`
	RotateSecret clientRotateCommand  `cmd:"" help:"Give a client a new secret and print it. It is not shown again."`
	Disable      clientDisableCommand `cmd:"" help:"Disable a client and revoke its tokens."`
	Enable       clientEnableCommand  `cmd:"" help:"Enable a disabled client."`
	Delete       clientDeleteCommand  `cmd:"" help:"Delete a client and revoke its tokens."`
}

// secretFlag is for commands that generate a secret.
type secretFlag struct {
	TokenPrefix string `env:"CHIT_TOKEN_PREFIX" default:"chit" placeholder:"TEXT" help:"The server's token prefix. The secret begins with it (default ${default})."`
}

func (f secretFlag) mint() string { return tokens.Mint(tokens.SecretPrefix(f.TokenPrefix)) }

func (f secretFlag) check() error {
	if !tokens.ValidPrefix(f.TokenPrefix) {
		return app.Fault("CHIT_TOKEN_PREFIX", "%q is not 1 to 31 letters, digits and hyphens", f.TokenPrefix)
	}
	return nil
}

type clientCreateCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	auditFlag  `embed:""`
	secretFlag `embed:""`

	ID             string       `arg:"" name:"id" help:"The client_id: 1 to 255 visible ASCII characters without a colon."`
	Name           string       `placeholder:"TEXT" help:"Name of the client, for people."`
	Scope          string       `placeholder:"\"A B\"" help:"Scopes that the client may have, separated by spaces."`
	ResourceServer bool         `help:"The client may introspect the tokens of all clients."`
	TTL            app.Duration `name:"ttl" default:"0s" placeholder:"DURATION" help:"Lifetime of its tokens, such as 900s (default: the server's)."`
}

func (*clientCreateCommand) Help() string {
	return "Example:\n\n  chit client create billing-job --name \"Billing job\" --scope \"invoices.read invoices.write\" --ttl 900s"
}

// Run registers the client and prints it with its secret.
func (cmd *clientCreateCommand) Run(c *console) error {
	if err := cmd.check(); err != nil {
		return usageError{err}
	}
	secret := cmd.mint()
	client := &models.Client{
		ClientID:         cmd.ID,
		ClientSecretHash: models.HashSecret(secret),
		ClientName:       cmd.Name,
		AllowedScopes:    models.ParseScopes(cmd.Scope).String(),
		GrantTypes:       models.ClientCredentials,
		IsResourceServer: cmd.ResourceServer,
	}
	if cmd.TTL.Duration > 0 {
		lifetime := int64(cmd.TTL.Seconds())
		client.TokenTTLSeconds = &lifetime
	}
	err := cmd.withClients(c, func(clients *repository.Clients) error { return clients.Create(c, client) })
	if errors.Is(err, models.ErrClientExists) {
		return fmt.Errorf("there is a client %q already: choose another id", cmd.ID)
	}
	if err != nil {
		return err
	}
	cmd.note(c, auditClientCreated, slog.String("client_id", cmd.ID), slog.String("scope", client.AllowedScopes), slog.Bool("is_resource_server", cmd.ResourceServer))
	view := viewOf(client).withSecret(secret)
	if err := cmd.print(c, view, table.Row{"CLIENT_ID", "CLIENT_SECRET"}, []table.Row{{view.ClientID, secret}}); err != nil {
		return fmt.Errorf("client %s is registered, but its secret could not be printed and is lost: give it a new one with `chit client rotate-secret %s`: %w", cmd.ID, cmd.ID, err)
	}
	return nil
}

func (cmd *clientCreateCommand) check() error {
	faults := []error{cmd.Resolve(), cmd.auditFlag.check()}
	if !fitsClientID(cmd.ID) {
		faults = append(faults, fmt.Errorf("<id>: %q is not 1 to 255 visible ASCII characters without a colon", cmd.ID))
	}
	faults = append(faults, checkScope(cmd.Scope))
	if cmd.TTL.Given() {
		faults = append(faults, cmd.TTL.CheckLifetime("--ttl"))
	}
	return errors.Join(append(faults, cmd.secretFlag.check())...)
}

func checkScope(scope string) error {
	if !models.ParseScopes(scope).WellFormed() {
		return fmt.Errorf("--scope: %q has a character that RFC 6749 §3.3 does not allow", scope)
	}
	return nil
}

// fitsClientID is stricter than the database. A colon or a space in an id leads to mistakes with HTTP
// Basic.
func fitsClientID(id string) bool {
	visible := func(r rune) bool { return r > ' ' && r <= '~' && r != ':' }
	return models.CanBeClientID(id) && strings.IndexFunc(id, func(r rune) bool { return !visible(r) }) < 0
}

// noSuchClient adds the id to models.ErrClientNotFound, and returns any other error unchanged.
func noSuchClient(id string, err error) error {
	if errors.Is(err, models.ErrClientNotFound) {
		return fmt.Errorf("there is no client %q", id)
	}
	return err
}
