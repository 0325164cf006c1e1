package cli

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"chit/models"
	"chit/repository"
)

type clientListCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`

	Query string `short:"q" placeholder:"TEXT" help:"Only clients with this text in their id or name. Upper and lower case are the same."`
	Limit int    `placeholder:"N" help:"This many clients at most (default: all)."`
	After string `placeholder:"ID" help:"Only clients whose id comes after this one. This selects the next page."`
}

func (*clientListCommand) Help() string {
	return "The clients are ordered by id. The table shortens long names and scopes. JSON and `chit client show` do not. A client is used when it authenticates, for a token or anything else; the last uses are accurate to a minute.\n\nExamples:\n\n  chit client list --query billing\n\n  chit client list --limit 50 --after billing-job --output json"
}

// Run prints the selected clients. If there are more, it prints where the next page begins.
func (cmd *clientListCommand) Run(c *console) error {
	faults := []error{cmd.Resolve()}
	if cmd.Limit < 0 {
		faults = append(faults, fmt.Errorf("--limit: %d is no number of clients: write 1 or more", cmd.Limit))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	var found []models.Client
	err := cmd.withClients(c, func(clients *repository.Clients) (err error) {
		page := repository.Page{Query: cmd.Query, After: cmd.After}
		if cmd.Limit > 0 {
			page.Limit = cmd.Limit + 1 // one more shows whether there is a next page
		}
		found, err = clients.List(c, page)
		return err
	})
	if err != nil {
		return err
	}
	more := cmd.Limit > 0 && len(found) > cmd.Limit
	if more {
		found = found[:cmd.Limit]
	}
	if err := cmd.printClients(c, found); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(c.err, "chit: there are more clients: go on with --after %s\n", found[len(found)-1].ClientID)
	}
	return nil
}

type listedClient struct {
	clientView
	useView
}

func (cmd *clientListCommand) printClients(c *console, clients []models.Client) error {
	views := []listedClient{}
	rows := []table.Row{}
	for i := range clients {
		client := &clients[i]
		view := listedClient{viewOf(client), *useOf(client)}
		views = append(views, view)
		rows = append(rows, table.Row{view.ClientID, shortened(view.ClientName), shortened(view.Scope), role(client), dateTime(client.CreatedAt), orNever(client.Use.LastTokenAt), orNever(client.Use.LastUsedAt)})
	}
	return cmd.print(c, views, table.Row{"CLIENT_ID", "NAME", "SCOPE", "ROLE", "CREATED (UTC)", "LAST TOKEN (UTC)", "LAST USED (UTC)"}, rows)
}

// maxCell is the maximum width of a cell in characters. A longer text would widen every row.
const maxCell = 40

func shortened(cell string) string { return text.Snip(cell, maxCell, "…") }

// role describes the role of a client in words.
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
