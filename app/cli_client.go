package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/migrations"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

type clientCommands struct {
	Create clientCreateCommand `cmd:"" help:"Register a client; its generated secret is printed, this once."`
	List   clientListCommand   `cmd:"" help:"List the clients."`
}

// clientView is a client as programs read it, in the words of RFC 7591 §2 and §3.2.1 where they
// have one.
type clientView struct {
	ClientID         string   `json:"client_id"`
	ClientSecret     string   `json:"client_secret,omitempty"`
	ClientName       string   `json:"client_name,omitempty"`
	Scope            string   `json:"scope"`
	GrantTypes       []string `json:"grant_types"`
	IssuedAt         int64    `json:"client_id_issued_at"` // seconds
	IsPublic         bool     `json:"is_public"`
	IsResourceServer bool     `json:"is_resource_server"`
	TokenTTLSeconds  *int64   `json:"token_ttl_seconds,omitempty"`
	DisabledAt       *int64   `json:"disabled_at,omitempty"` // seconds
}

func viewOf(client *models.Client) clientView {
	view := clientView{
		ClientID:         client.ClientID,
		ClientName:       client.ClientName,
		Scope:            client.AllowedScopes,
		GrantTypes:       append([]string{}, client.RegisteredGrantTypes()...),
		IssuedAt:         client.CreatedAt.Unix(),
		IsPublic:         client.IsPublic,
		IsResourceServer: client.IsResourceServer,
		TokenTTLSeconds:  client.TokenTTLSeconds,
	}
	if client.DisabledAt != nil {
		at := client.DisabledAt.Unix()
		view.DisabledAt = &at
	}
	return view
}

type clientCreateCommand struct {
	Stores     `embed:""`
	outputFlag `embed:""`

	ID             string   `arg:"" name:"id" help:"The client_id: 1 to 255 visible ASCII characters without a colon."`
	Name           string   `placeholder:"TEXT" help:"For people to know it by."`
	Scope          string   `placeholder:"\"A B\"" help:"Scopes that it may have, separated by spaces."`
	ResourceServer bool     `help:"It may introspect the tokens of every client."`
	TTL            duration `name:"ttl" default:"0s" placeholder:"DURATION" help:"Lifetime of its tokens, such as 900s (default: the server's)."`
	TokenPrefix    string   `env:"CHIT_TOKEN_PREFIX" default:"chit" placeholder:"TEXT" help:"The server's token prefix, which its secret begins with (default ${default})."`
}

func (*clientCreateCommand) Help() string {
	return "Example:\n\n  chit client create billing-job --name \"Billing job\" --scope \"invoices.read invoices.write\" --ttl 900s"
}

// Run registers the client and prints it with its secret.
func (cmd *clientCreateCommand) Run(c *console) error {
	if err := cmd.check(); err != nil {
		return usageError{err}
	}
	secret := tokens.Mint(tokens.SecretPrefix(cmd.TokenPrefix))
	client := &models.Client{
		ClientID:         cmd.ID,
		ClientSecretHash: models.HashSecret(secret),
		ClientName:       cmd.Name,
		AllowedScopes:    models.ParseScopes(cmd.Scope).String(),
		GrantTypes:       models.ClientCredentials,
		IsResourceServer: cmd.ResourceServer,
	}
	if cmd.TTL.Duration > 0 {
		seconds := int64(cmd.TTL.Seconds())
		client.TokenTTLSeconds = &seconds
	}
	err := cmd.withClients(c, func(clients *repository.Clients) error { return clients.Create(c, client) })
	if errors.Is(err, models.ErrClientExists) {
		return fmt.Errorf("there is a client %q already: choose another id", cmd.ID)
	}
	if err != nil {
		return err
	}
	view := viewOf(client)
	view.ClientSecret = secret
	return cmd.print(c, view, table.Row{"CLIENT_ID", "CLIENT_SECRET"}, []table.Row{{view.ClientID, secret}})
}

func (cmd *clientCreateCommand) check() error {
	faults := []error{cmd.resolve(), cmd.validate()}
	if !fitsClientID(cmd.ID) {
		faults = append(faults, fmt.Errorf("<id>: %q is not 1 to 255 visible ASCII characters without a colon", cmd.ID))
	}
	if !models.ParseScopes(cmd.Scope).WellFormed() {
		faults = append(faults, fmt.Errorf("--scope: %q has a character that RFC 6749 §3.3 does not allow", cmd.Scope))
	}
	if cmd.TTL.Duration != 0 || cmd.TTL.malformed != "" {
		faults = append(faults, cmd.TTL.checkLifetime("--ttl"))
	}
	if !tokens.ValidPrefix(cmd.TokenPrefix) {
		faults = append(faults, fault("CHIT_TOKEN_PREFIX", "%q is not 1 to 31 letters, digits and hyphens", cmd.TokenPrefix))
	}
	return errors.Join(faults...)
}

// fitsClientID is stricter than the database: a colon or a space in an id is a trap for those who
// write HTTP Basic by hand.
func fitsClientID(id string) bool {
	visible := func(r rune) bool { return r > ' ' && r <= '~' && r != ':' }
	return models.CanBeClientID(id) && strings.IndexFunc(id, func(r rune) bool { return !visible(r) }) < 0
}

type clientListCommand struct {
	Stores     `embed:""`
	outputFlag `embed:""`
}

func (*clientListCommand) Help() string {
	return "Example:\n\n  chit client list --output json"
}

// Run prints all clients.
func (cmd *clientListCommand) Run(c *console) error {
	if err := errors.Join(cmd.resolve(), cmd.validate()); err != nil {
		return usageError{err}
	}
	views := []clientView{}
	rows := []table.Row{}
	err := cmd.withClients(c, func(clients *repository.Clients) error {
		all, err := clients.List(c)
		for i := range all {
			view := viewOf(&all[i])
			views = append(views, view)
			rows = append(rows, table.Row{view.ClientID, view.ClientName, view.Scope, role(&all[i]), all[i].CreatedAt.Format(time.DateTime)})
		}
		return err
	})
	if err != nil {
		return err
	}
	return cmd.print(c, views, table.Row{"CLIENT_ID", "NAME", "SCOPE", "ROLE", "CREATED (UTC)"}, rows)
}

// role says in words what sets the client apart.
func role(client *models.Client) string {
	switch {
	case client.Disabled():
		return "disabled"
	case client.IsPublic:
		return "public, refused"
	case client.IsResourceServer:
		return "resource server"
	}
	return "client"
}

// withClients opens the database for the time of do. The embedded one is made if need be.
func (s *Stores) withClients(ctx context.Context, do func(*repository.Clients) error) error {
	clients, err := s.openClients()
	if err != nil {
		return err
	}
	defer clients.Close()
	if s.dialect() == migrations.SQLite {
		if _, err := migrations.Up(ctx, clients.DB(), migrations.SQLite); err != nil {
			return err
		}
	}
	return do(clients)
}
