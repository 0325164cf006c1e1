package repository

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/models"
)

// sinceStrongClients are columns that a database of the previous version lacks.
var sinceStrongClients = []string{
	"AuthMethod", "JWKS", "JWKSURI", "TLSSubjectDN", "TLSSANDNS", "TLSSANURI",
}

// federate adds the federations to clients. A failure that does not go away by itself must not keep clients
// from requests that have nothing to do with federations, so it is noted in the clients. The database may lack
// the table during an upgrade, and the role may lack a privilege after it.
func federate(db *gorm.DB, clients map[string]*models.Client, asked []string) error {
	var federations []models.Federation
	err := db.Find(&federations, "client_id IN ?", asked).Error
	if err != nil {
		err = unavailable("find federations", err)
	}
	switch {
	case errors.Is(err, models.ErrNotPermitted), errors.Is(err, models.ErrSchema):
		for _, client := range clients {
			client.FederationsErr = err
		}
	case err != nil:
		return err
	}
	for _, federation := range federations {
		if client := clients[federation.ClientID]; client != nil {
			client.Federations = append(client.Federations, federation)
		}
	}
	return nil
}

// lacksSchema reports whether the database lacks a table or a column.
func lacksSchema(err error) bool {
	answer := (*pgconn.PgError)(nil)
	return errors.As(err, &answer) && (answer.Code == "42P01" || answer.Code == "42703")
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
