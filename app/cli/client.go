package cli

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/app"
	"chit/models"
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
	Federate     federateCommands     `cmd:"" help:"Let tokens of a platform, such as Kubernetes or GitHub Actions, authenticate a client."`
	Keygen       clientKeygenCommand  `cmd:"" help:"Make a key pair for a client, and print the public key for --jwks."`
	Assertion    assertionCommand     `cmd:"" help:"Sign a client assertion with a private key, to try it."`
	Proof        proofCommand         `cmd:"" help:"Sign a DPoP proof with a private key, to try it."`
	Export       clientExportCommand  `cmd:"" help:"Print all clients with the hashes of their secrets, as JSON."`
	Import       clientImportCommand  `cmd:"" help:"Register the clients of a file of Ory Hydra, Keycloak, CSV or chit client export."`
}

// secretFlag is for commands that generate a secret.
type secretFlag struct {
	TokenPrefix string `env:"CHIT_TOKEN_PREFIX" default:"chit" placeholder:"TEXT" help:"The server's token prefix. The secret begins with it (default ${default})."`
}

func (f secretFlag) check() error {
	if !tokens.ValidPrefix(f.TokenPrefix) {
		return app.Fault("CHIT_TOKEN_PREFIX", "%q is not 1 to 31 letters, digits and hyphens", f.TokenPrefix)
	}
	return nil
}

type clientCreateCommand struct {
	actionFlags `embed:""`
	secretFlag  `embed:""`

	ID             string       `arg:"" name:"id" help:"The client_id: 1 to 255 visible ASCII characters without a colon."`
	Name           string       `placeholder:"TEXT" help:"Name of the client, for people."`
	Scope          string       `placeholder:"\"A B\"" help:"Scopes that the client may have, separated by spaces."`
	ResourceServer bool         `help:"The client may introspect the tokens of all clients."`
	TTL            app.Duration `name:"ttl" default:"0s" placeholder:"DURATION" help:"Lifetime of its tokens, such as 900s (default: the server's)."`

	authenticationFlags `embed:""`
	restrictionFlags    `embed:""`
}

func (*clientCreateCommand) Help() string {
	return "A client without --auth-method gets a secret. With private_key_jwt it signs assertions with its own key, or a platform vouches for it: see `chit client federate`. With tls_client_auth and self_signed_tls_client_auth it shows a certificate.\n\nExample:\n\n  chit client create billing-job --name \"Billing job\" --scope \"invoices.read invoices.write\" --ttl 900s\n  chit client create signing-job --auth-method private_key_jwt --jwks-uri https://jobs.example.com/keys\n  chit client create tls-job --auth-method tls_client_auth --tls-subject-dn \"CN=billing,O=Acme\"\n  chit client create invoices-api --resource-server --resource https://invoices.example.com\n  chit client create reporting-job --scope invoices.read --allowed-resources https://invoices.example.com --dpop-bound"
}

// Run registers the client and prints it with its secret.
func (cmd *clientCreateCommand) Run(c *console) error {
	registration := cmd.registration()
	var err error
	registration.Authentication, err = cmd.authentication(c)
	if err := errors.Join(err, cmd.check(registration)); err != nil {
		return usageError{err}
	}
	return cmd.withActions(c, func(actions admin.Actions) error {
		actions.Prefix = cmd.TokenPrefix
		client, secret, err := actions.Register(c, registration)
		if errors.Is(err, models.ErrClientExists) {
			return fmt.Errorf("there is a client %q already: choose another id", cmd.ID)
		}
		if err != nil {
			return err
		}
		if secret == "" {
			return cmd.printClient(c, client)
		}
		view := viewOf(client).withSecret(secret)
		if err := cmd.print(c, view, table.Row{"CLIENT_ID", "CLIENT_SECRET"}, []table.Row{{view.ClientID, secret}}); err != nil {
			return fmt.Errorf("client %s is registered, but its secret could not be printed and is lost: give it a new one with `chit client rotate-secret %s`: %w", cmd.ID, cmd.ID, err)
		}
		return nil
	})
}

func (cmd *clientCreateCommand) registration() admin.Registration {
	registration := admin.Registration{ClientID: &cmd.ID, ClientName: cmd.Name, Scope: cmd.Scope, ResourceServer: cmd.ResourceServer, Restrictions: cmd.restrictions()}
	if cmd.TTL.Duration > 0 {
		lifetime := int64(cmd.TTL.Seconds())
		registration.TokenTTLSeconds = &lifetime
	}
	return registration
}

func (cmd *clientCreateCommand) check(registration admin.Registration) error {
	faults := []error{cmd.Resolve(), cmd.auditFlag.check()}
	if cmd.TTL.Given() {
		if err := cmd.TTL.CheckLifetime("--ttl"); err != nil {
			faults = append(faults, err)
			registration.TokenTTLSeconds = nil
		}
	}
	return errors.Join(append(faults, flagFaults(registration.Check()), cmd.secretFlag.check())...)
}

// noSuchClient adds the id to models.ErrClientNotFound, and returns any other error unchanged.
func noSuchClient(id string, err error) error {
	if errors.Is(err, models.ErrClientNotFound) {
		return fmt.Errorf("there is no client %q", id)
	}
	return err
}
