package cli

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/models"
)

// restrictionFlags say for whom the tokens of a client are, and from whom.
type restrictionFlags struct {
	AllowedResources []string `sep:"none" placeholder:"\"URI URI\"" help:"Resource servers that the tokens of the client may be for, separated by spaces. They are for all of them if the client names none."`
	Resource         []string `sep:"none" placeholder:"\"URI URI\"" help:"For a resource server: its own identifiers, separated by spaces. It then sees only tokens that are for it, or for everybody."`
	DPoPBound        *bool    `name:"dpop-bound" negatable:"" help:"Whether the client must sign a proof for each token, so that a token is of no use without the key (DPoP)."`
	CertificateBound *bool    `negatable:"" help:"Whether its tokens are bound to the certificate that the client shows."`
}

// restrictions returns what the flags say.
func (f restrictionFlags) restrictions() admin.Restrictions {
	return admin.Restrictions{
		CertificateBound: f.CertificateBound, DPoPBound: f.DPoPBound,
		AllowedResources: joined(f.AllowedResources), Resource: joined(f.Resource),
	}
}

// joined returns the values of a flag as the text of a column; nil: the flag is not given.
func joined(values []string) *string {
	if values == nil {
		return nil
	}
	text := strings.Join(values, " ")
	return &text
}

// restrictionRows returns rows of a table that say for whom the tokens of a client are, and from whom.
func restrictionRows(client *models.Client) (rows []table.Row) {
	if client.AllowedResources != "" {
		rows = append(rows, table.Row{"TOKENS FOR", string(client.AllowedResources)})
	}
	if client.Resource != "" {
		rows = append(rows, table.Row{"ITS IDENTIFIERS", string(client.Resource)})
	}
	for _, flag := range []struct {
		bound models.Flag
		to    string
	}{{client.CertificateBound, "its certificate"}, {client.DPoPBound, "a key, by DPoP"}} {
		if flag.bound {
			rows = append(rows, table.Row{"TOKENS BOUND TO", flag.to})
		}
	}
	return rows
}
