package repository

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/models"
)

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
