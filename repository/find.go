package repository

import (
	"encoding/json"
	"errors"
	"slices"

	"gorm.io/gorm"

	"chit/migrations"
	"chit/models"
)

// federatedClient is a client with its federations as a JSON list, or null if there are none. They come with the
// client, because a query of their own would make every lookup slower where the database is far away.
type federatedClient struct {
	models.Client
	List models.Text `gorm:"column:federations"`
}

// federationList is the SQL of the column federations. It depends on the database.
var federationList = map[string]string{
	string(migrations.PostgreSQL): `(SELECT json_agg(json_build_object('Issuer', issuer, 'Subject', subject, 'Audience', audience, 'JWKSURI', jwks_uri))::text
		FROM oauth_client_federation AS f WHERE f.client_id = oauth_client.client_id) AS federations`,
	string(migrations.SQLite): `(SELECT nullif(json_group_array(json_object('Issuer', issuer, 'Subject', subject, 'Audience', audience, 'JWKSURI', jwks_uri)), '[]')
		FROM oauth_client_federation AS f WHERE f.client_id = oauth_client.client_id) AS federations`,
}

// selection is what a lookup selects from the table of clients.
type selection struct {
	columns   []string
	federated bool // with the column federations
}

// The columns of the last steps of the schema, which an older database lacks.
var (
	ofStrongClients = []string{
		"token_endpoint_auth_method", "jwks", "jwks_uri", "tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri",
	}
	ofBoundTokens = []string{
		"tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens", "allowed_resources", "resource",
	}
)

// selectionsOf returns what a lookup tries to select, one after the other. The database may lack a step of the
// schema during an upgrade, and the role may lack a privilege for the table of federations after it.
func selectionsOf(columns []string, list string) []selection {
	without := func(lacking []string) []string {
		return slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return slices.Contains(lacking, name) })
	}
	return []selection{
		{append(slices.Clone(columns), list), true},
		{columns, false},
		{append(without(ofBoundTokens), list), true},
		{without(ofBoundTokens), false},
		{without(slices.Concat(ofBoundTokens, ofStrongClients)), false},
	}
}

// findClients returns clients with their federations. A failure that does not go away by itself must not keep clients
// from requests that have nothing to do with what cannot be read, so it is noted in the clients.
func (c *Clients) findClients(db *gorm.DB, asked []string) ([]models.Client, error) {
	var lacking error
	for _, try := range c.selections {
		var rows []federatedClient
		err := db.Select(try.columns).Find(&rows, "client_id IN ?", asked).Error
		if err == nil {
			return unfold(rows, try, lacking)
		}
		why := unavailable("find clients", err)
		if !errors.Is(why, models.ErrNotPermitted) && !errors.Is(why, models.ErrSchema) {
			return nil, err
		}
		if lacking == nil {
			lacking = why
		}
	}
	return nil, lacking
}

// unfold returns the clients of rows. lacking is why the federations are not there.
func unfold(rows []federatedClient, selected selection, lacking error) ([]models.Client, error) {
	clients := make([]models.Client, len(rows))
	for i, row := range rows {
		clients[i] = row.Client
		if !selected.federated {
			clients[i].FederationsErr = lacking
		}
		if row.List == "" {
			continue
		}
		if err := json.Unmarshal([]byte(row.List), &clients[i].Federations); err != nil {
			return nil, err
		}
		for j := range clients[i].Federations {
			clients[i].Federations[j].ClientID = row.ClientID
		}
	}
	return clients, nil
}
