package repository

import (
	"context"
	"encoding/json"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/migrations"
	"chit/models"
)

// sinceStrongClients are fields whose columns a database of the previous version lacks.
var sinceStrongClients = []string{
	"AuthMethod", "JWKS", "JWKSURI", "TLSSubjectDN", "TLSSANDNS", "TLSSANURI",
}

// federatedClient is a client with its federations as a JSON list, or null if there are none. They come with the
// client, because a query of their own would make every lookup slower where the database is far away.
type federatedClient struct {
	models.Client
	List models.Text `gorm:"column:federations"`
}

// federationList is the SQL of the column. It depends on the database.
var federationList = map[string]string{
	string(migrations.PostgreSQL): `(SELECT json_agg(json_build_object('Issuer', issuer, 'Subject', subject, 'Audience', audience, 'JWKSURI', jwks_uri))::text
		FROM oauth_client_federation AS f WHERE f.client_id = oauth_client.client_id) AS federations`,
	string(migrations.SQLite): `(SELECT nullif(json_group_array(json_object('Issuer', issuer, 'Subject', subject, 'Audience', audience, 'JWKSURI', jwks_uri)), '[]')
		FROM oauth_client_federation AS f WHERE f.client_id = oauth_client.client_id) AS federations`,
}

// findFederated returns clients with their federations. A failure that does not go away by itself must not keep
// clients from requests that have nothing to do with federations, so it is noted in the clients. The database may
// lack the table during an upgrade, and the role may lack a privilege after it.
func (c *Clients) findFederated(db *gorm.DB, asked []string) ([]models.Client, error) {
	var rows []federatedClient
	if err := db.Select(c.found).Find(&rows, "client_id IN ?", asked).Error; err != nil {
		lacking := unavailable("find federations", err)
		if errors.Is(lacking, models.ErrNotPermitted) || errors.Is(lacking, models.ErrSchema) {
			return findUnfederated(db, asked, lacking)
		}
		return nil, err
	}
	clients := make([]models.Client, len(rows))
	for i, row := range rows {
		if clients[i] = row.Client; row.List == "" {
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

// findUnfederated returns clients without their federations, and notes why.
func findUnfederated(db *gorm.DB, asked []string, why error) (clients []models.Client, err error) {
	err = db.Find(&clients, "client_id IN ?", asked).Error
	if err != nil && errors.Is(unavailable("find client", err), models.ErrSchema) {
		err = db.Omit(sinceStrongClients...).Find(&clients, "client_id IN ?", asked).Error
	}
	for i := range clients {
		clients[i].FederationsErr = why
	}
	return clients, err
}

// ErrFederationExists means that the client has this federation already.
var ErrFederationExists = errors.New("the client has this federation already")

// ErrNoFederation means that the client has no such federation.
var ErrNoFederation = errors.New("the client has no such federation")

// AddFederation adds a federation to a client and returns the client. It returns models.ErrClientNotFound or
// ErrFederationExists.
func (c *Clients) AddFederation(ctx context.Context, federation models.Federation, allowed Condition) (*models.Client, error) {
	return c.changeFederations(ctx, "add federation", federation.ClientID, allowed, ErrFederationExists, func(tx *gorm.DB) *gorm.DB {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&federation)
	})
}

// RemoveFederation removes a federation, whatever its JWKSURI is, and returns the client. It returns
// models.ErrClientNotFound or ErrNoFederation.
func (c *Clients) RemoveFederation(ctx context.Context, federation models.Federation, allowed Condition) (*models.Client, error) {
	return c.changeFederations(ctx, "remove federation", federation.ClientID, allowed, ErrNoFederation, func(tx *gorm.DB) *gorm.DB {
		return tx.Delete(&models.Federation{ClientID: federation.ClientID, Issuer: federation.Issuer, Subject: federation.Subject, Audience: federation.Audience})
	})
}

// changeFederations runs a statement while the client is locked. It returns unchanged if the statement changes
// no row. The client comes with its federations.
func (c *Clients) changeFederations(ctx context.Context, doing, id string, allowed Condition, unchanged error, statement func(*gorm.DB) *gorm.DB) (*models.Client, error) {
	var without bool
	client, err := c.locked(ctx, doing, id, allowed, func(tx *gorm.DB, client *models.Client) error {
		result := statement(tx)
		if result.Error != nil {
			return result.Error
		}
		without = result.RowsAffected == 0
		return tx.Find(&client.Federations, "client_id = ?", id).Error
	})
	if err == nil && without {
		return nil, unchanged
	}
	return client, err
}
