package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/models"
	"chit/transfer"
)

// importPlan is what becomes of the clients of a file.
type importPlan struct {
	clients []models.Client // that are imported
	rows    []importRow     // of all clients of the file, in its order
	faults  []error
}

// importRow is what becomes of a client.
type importRow struct {
	ClientID string   `json:"client_id"`
	Name     string   `json:"client_name"`
	Scope    string   `json:"scope"`
	Imported bool     `json:"imported"`                // or would be
	Secret   string   `json:"secret,omitempty"`        // kept, new needed, or new
	New      string   `json:"client_secret,omitempty"` // the new secret
	LeftOut  string   `json:"left_out,omitempty"`      // why the client is not imported
	Notes    []string `json:"notes,omitempty"`
}

// plan decides about each client.
func (cmd *clientImportCommand) plan(c *console, actions admin.Actions, entries []transfer.Entry, format transfer.Format) (*importPlan, error) {
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Client.ClientID)
	}
	found, err := actions.Taken(c, ids)
	if err != nil {
		return nil, err
	}
	taken, seen := map[string]bool{}, map[string]bool{}
	for _, id := range found {
		taken[id] = true
	}
	p := &importPlan{}
	for _, entry := range entries {
		id := entry.Client.ClientID
		if entry.Skip == "" && taken[id] {
			entry.Skip = "its id is taken"
			if !cmd.SkipExisting {
				p.fail(id, errors.New("its id is taken: leave such clients out with --skip-existing"))
			}
		}
		if entry.Skip == "" && seen[id] {
			p.fail(id, errors.New("it is in the file twice"))
		}
		seen[id] = seen[id] || entry.Skip == ""
		p.add(entry, format)
	}
	return p, nil
}

// add adds what becomes of a client.
func (p *importPlan) add(entry transfer.Entry, format transfer.Format) {
	client := entry.Client
	row := importRow{ClientID: client.ClientID, Name: client.ClientName, Scope: client.AllowedScopes, LeftOut: entry.Skip, Notes: entry.Notes}
	if entry.Skip == "" {
		if err := admin.CheckImported(client, format != transfer.Chit); err != nil {
			p.fail(client.ClientID, err)
		}
		row.Imported, row.Secret = true, string(entry.Secret)
		client.AllowedScopes = models.ParseScopes(client.AllowedScopes).String()
		p.clients = append(p.clients, client)
	}
	p.rows = append(p.rows, row)
}

func (p *importPlan) fail(id string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		p.faults = append(p.faults, fmt.Errorf("client %q: %s", id, line))
	}
}

// fault returns an error if the file cannot be imported.
func (p *importPlan) fault() error {
	if len(p.faults) == 0 {
		return nil
	}
	return errors.Join(append(p.faults, errors.New("nothing was imported"))...)
}

// show prints the plan, for people on standard error unless it is all that the command prints.
func (p *importPlan) show(c *console, f outputFlag, all bool) error {
	if f.Output == "json" {
		if !all {
			return nil
		}
		return f.print(c, p.rows, nil, nil)
	}
	to := *c
	if !all {
		to.out = &checkedOutput{Writer: c.err}
	}
	var rows []table.Row
	for _, row := range p.rows {
		what := row.LeftOut
		if row.Imported {
			what = "secret " + row.Secret
		} else {
			what = "left out: " + what
		}
		rows = append(rows, table.Row{row.ClientID, row.Scope, strings.Join(append([]string{what}, row.Notes...), "; ")})
	}
	if err := f.print(&to, nil, table.Row{"CLIENT_ID", "SCOPE", "WHAT BECOMES OF IT"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to.out, "\n%s in the file, %s to import, %d need a new secret\n", clientCount(len(p.rows)), clientCount(len(p.clients)), p.needing())
	return err
}

// needing returns the number of clients that need a new secret.
func (p *importPlan) needing() (n int) {
	for _, row := range p.rows {
		if row.Secret == string(transfer.Needed) {
			n++
		}
	}
	return n
}

// giveSecrets gives new secrets to the clients that need one.
func (p *importPlan) giveSecrets(actions admin.Actions) {
	next := 0
	for i := range p.rows {
		row := &p.rows[i]
		if !row.Imported {
			continue
		}
		if row.Secret == string(transfer.Needed) {
			row.Secret, row.New = "new", actions.NewSecret(&p.clients[next])
		}
		next++
	}
}

// report prints what was done. New secrets are printed this once.
func (p *importPlan) report(c *console, f outputFlag) error {
	if f.Output == "json" {
		return f.print(c, p.rows, nil, nil)
	}
	var secrets []table.Row
	for _, row := range p.rows {
		if row.New != "" {
			secrets = append(secrets, table.Row{row.ClientID, row.New})
		}
	}
	if len(secrets) > 0 {
		if err := f.print(c, nil, table.Row{"CLIENT_ID", "CLIENT_SECRET"}, secrets); err != nil {
			return fmt.Errorf("the clients are imported, but their secrets could not be printed and are lost: give them new ones with `chit client rotate-secret`: %w", err)
		}
	}
	_, err := fmt.Fprintf(c.err, "chit: %s imported\n", clientCount(len(p.clients)))
	if left := p.needing(); left > 0 && err == nil {
		_, err = fmt.Fprintf(c.err, "chit: %s cannot log in yet: give each a secret with `chit client rotate-secret`\n", clientCount(left))
	}
	return err
}
