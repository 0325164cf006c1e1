// Package repository keeps clients in SQL, on PostgreSQL and SQLite alike.
package repository

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"chit/models"
)

// Clients are the rows of oauth_client. Its methods return errors that wrap models.ErrUnavailable
// when the database does not answer as it should, and mean nothing else then.
type Clients struct {
	db   *gorm.DB
	pool *sql.DB
	uses uses
}

// Find returns the client with its retired secrets, as the database has it at this moment, or
// models.ErrClientNotFound.
func (c *Clients) Find(ctx context.Context, id string) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	// Both tables are asked for an unknown client too: how long it takes tells nobody who exists.
	// The client goes first: a rotation in between is then seen as it was before.
	var client models.Client
	db := c.db.WithContext(ctx)
	clientErr := db.Take(&client, "client_id = ?", id).Error
	secretsErr := db.Find(&client.RetiredSecrets, "client_id = ?", id).Error
	if errors.Is(clientErr, gorm.ErrRecordNotFound) && secretsErr == nil {
		return nil, models.ErrClientNotFound
	}
	if err := errors.Join(clientErr, secretsErr); err != nil {
		return nil, unavailable("find client", err)
	}
	return &client, nil
}

// FindSince is Find: nothing is kept here, so every answer is of this moment.
func (c *Clients) FindSince(ctx context.Context, id string, _ time.Time) (*models.Client, error) {
	return c.Find(ctx, id)
}

// Create adds a client. It returns models.ErrClientExists if there is one of this id.
func (c *Clients) Create(ctx context.Context, client *models.Client) error {
	err := c.db.WithContext(ctx).Omit("RetiredSecrets").Create(client).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return models.ErrClientExists
	}
	if err != nil {
		return unavailable("create client", err)
	}
	return nil
}

// List returns all clients in the order of their ids, without their retired secrets.
func (c *Clients) List(ctx context.Context) ([]models.Client, error) {
	var clients []models.Client
	if err := c.db.WithContext(ctx).Order("client_id").Find(&clients).Error; err != nil {
		return nil, unavailable("list clients", err)
	}
	return clients, nil
}

// Ping reports whether the database answers.
func (c *Clients) Ping(ctx context.Context) error {
	if err := c.pool.PingContext(ctx); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

// DB returns the connection pool below, for migrations and metrics.
func (c *Clients) DB() *sql.DB { return c.pool }

// Close closes the connections.
func (c *Clients) Close() error { return c.pool.Close() }

func unavailable(doing string, err error) error {
	return fmt.Errorf("database: %s: %w: %w", doing, models.ErrUnavailable, err)
}
