// Package repository stores clients in PostgreSQL or SQLite.
package repository

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/models"
)

// Clients are the rows of oauth_client. If the database does not answer as it should, the methods return an
// error that wraps models.ErrUnavailable.
type Clients struct {
	db   *gorm.DB
	pool *sql.DB
	uses uses
	// selections are what a lookup tries to select.
	selections []selection
}

// Find returns the client with its retired secrets, or models.ErrClientNotFound. It always asks the
// database.
func (c *Clients) Find(ctx context.Context, id string) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	found, err := c.FindMany(ctx, []string{id})
	if err == nil && found[id] == nil {
		err = models.ErrClientNotFound
	}
	return found[id], err
}

// FindMany is Find for several ids. All of them must be accepted by models.CanBeClientID. The map has the
// clients that exist.
func (c *Clients) FindMany(ctx context.Context, ids []string) (map[string]*models.Client, error) {
	// Both queries are made for unknown clients, too, so that the time it takes does not tell whether a
	// client exists. The clients are queried first: a rotation between the two queries looks as if it had
	// not happened yet.
	var secrets []models.RetiredSecret
	db, asked := c.db.WithContext(ctx), rounded(ids)
	clients, err := c.findClients(db, asked)
	if err == nil {
		err = db.Find(&secrets, "client_id IN ?", asked).Error
	}
	if err != nil {
		return nil, unavailable("find client", err)
	}
	found := make(map[string]*models.Client, len(clients))
	for i := range clients {
		found[clients[i].ClientID] = &clients[i]
	}
	for _, secret := range secrets {
		if client := found[secret.ClientID]; client != nil {
			client.RetiredSecrets = append(client.RetiredSecrets, secret)
		}
	}
	return found, nil
}

// rounded repeats the last id until the number of ids is a power of two. So there are few different
// statements, and each one stays prepared.
func rounded(ids []string) []string {
	for len(ids)&(len(ids)-1) != 0 {
		ids = append(ids[:len(ids):len(ids)], ids[len(ids)-1])
	}
	return ids
}

// FindSince is Find, which always asks the database.
func (c *Clients) FindSince(ctx context.Context, id string, _ time.Time) (*models.Client, error) {
	return c.Find(ctx, id)
}

// Knows reports true, because there is no cache here that could tell.
func (c *Clients) Knows(string) bool { return true }

// Create adds a client. It returns models.ErrClientExists if the id is taken.
func (c *Clients) Create(ctx context.Context, client *models.Client) error {
	err := c.db.WithContext(ctx).Omit(clause.Associations).Create(client).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return models.ErrClientExists
	}
	if err != nil {
		return unavailable("create client", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (c *Clients) Ping(ctx context.Context) error {
	if err := c.pool.PingContext(ctx); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

// DB returns the connection pool, for migrations and metrics.
func (c *Clients) DB() *sql.DB { return c.pool }

// Close closes the connections.
func (c *Clients) Close() error { return c.pool.Close() }
