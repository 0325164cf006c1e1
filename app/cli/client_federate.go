package cli

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/models"
	"chit/repository"
)

type federateCommands struct {
	Add    federateAddCommand    `cmd:"" help:"Let tokens of an issuer authenticate a client."`
	List   federateListCommand   `cmd:"" help:"List the federations of a client."`
	Remove federateRemoveCommand `cmd:"" help:"Remove a federation of a client."`
}

// federationFlags name a federation.
type federationFlags struct {
	ID       string `arg:"" name:"id" help:"The client_id."`
	Issuer   string `required:"" placeholder:"URL" help:"The iss of the tokens, or a SPIFFE trust domain such as spiffe://example.org."`
	Subject  string `required:"" placeholder:"TEXT" help:"The sub of the tokens. A * at the end stands for any text."`
	Audience string `required:"" placeholder:"TEXT" help:"The aud of the tokens, such as the issuer URL of this server."`
}

func (f federationFlags) federation() models.Federation {
	return models.Federation{ClientID: f.ID, Issuer: f.Issuer, Subject: f.Subject, Audience: f.Audience}
}

// federationView is a federation in JSON.
type federationView struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
	JWKSURI  string `json:"jwks_uri,omitempty"`
}

func federationsOf(client *models.Client) []federationView {
	views := []federationView{}
	for _, f := range client.Federations {
		views = append(views, federationView{f.Issuer, f.Subject, f.Audience, string(f.JWKSURI)})
	}
	return views
}

// printFederations prints the federations of a client.
func (f outputFlag) printFederations(c *console, client *models.Client) error {
	views := federationsOf(client)
	var rows []table.Row
	for _, view := range views {
		at := view.JWKSURI
		if at == "" {
			at = "by discovery"
		}
		rows = append(rows, table.Row{view.Issuer, view.Subject, view.Audience, at})
	}
	return f.print(c, views, table.Row{"ISSUER", "SUBJECT", "AUDIENCE", "KEYS"}, rows)
}

type federateAddCommand struct {
	actionFlags     `embed:""`
	federationFlags `embed:""`

	JWKSURI string `name:"jwks-uri" placeholder:"URL" help:"Where the keys of the issuer are (default: where its discovery document says)."`
	Force   bool   `help:"Allow a subject that is * alone: every workload of the issuer, also those of strangers."`
}

func (*federateAddCommand) Help() string {
	return "A workload sends the token of its platform as client_assertion, with client_id. A pattern of subjects lets in whoever can get a matching subject from the issuer, so write as much of it as you can.\n\nExample:\n\n  chit client federate add billing-job --issuer https://kubernetes.example.com --subject system:serviceaccount:shop:billing --audience https://auth.example.com\n  chit client federate add deploy-job --issuer https://token.actions.githubusercontent.com --subject repo:acme/shop:environment:production --audience https://auth.example.com"
}

// Run adds the federation and prints all of the client.
func (cmd *federateAddCommand) Run(c *console) error {
	federation := cmd.federation()
	federation.JWKSURI = models.Text(cmd.JWKSURI)
	err := flagFaults(admin.CheckFederation(federation, cmd.Force))
	if err := errors.Join(cmd.Resolve(), cmd.auditFlag.check(), err); err != nil {
		return usageError{err}
	}
	return cmd.withActions(c, func(actions admin.Actions) error {
		client, err := actions.Federate(c, federation, cmd.Force)
		if err != nil {
			return federationFault(cmd.ID, err)
		}
		return cmd.printFederations(c, client)
	})
}

// federationFault explains why a federation was not added or removed.
func federationFault(id string, err error) error {
	if errors.As(err, new(admin.Invalid)) || errors.Is(err, repository.ErrFederationExists) || errors.Is(err, repository.ErrNoFederation) {
		return fmt.Errorf("client %q: %w", id, err)
	}
	return noSuchClient(id, err)
}

type federateListCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*federateListCommand) Help() string {
	return "Example:\n\n  chit client federate list billing-job"
}

// Run prints the federations.
func (cmd *federateListCommand) Run(c *console) error {
	if err := cmd.Resolve(); err != nil {
		return usageError{err}
	}
	return cmd.withClients(c, func(clients *repository.Clients) error {
		client, err := clients.Find(c, cmd.ID)
		if err == nil {
			err = client.FederationsErr
		}
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		return cmd.printFederations(c, client)
	})
}

type federateRemoveCommand struct {
	actionFlags     `embed:""`
	federationFlags `embed:""`
}

func (*federateRemoveCommand) Help() string {
	return "Tokens that the client has already stay in force: end them with `chit token revoke --client`.\n\nExample:\n\n  chit client federate remove billing-job --issuer https://kubernetes.example.com --subject system:serviceaccount:shop:billing --audience https://auth.example.com"
}

// Run removes the federation and prints those that are left.
func (cmd *federateRemoveCommand) Run(c *console) error {
	if err := errors.Join(cmd.Resolve(), cmd.auditFlag.check()); err != nil {
		return usageError{err}
	}
	return cmd.withActions(c, func(actions admin.Actions) error {
		client, err := actions.Unfederate(c, cmd.federation())
		if err != nil {
			return federationFault(cmd.ID, err)
		}
		return cmd.printFederations(c, client)
	})
}
