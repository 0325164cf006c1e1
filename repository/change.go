package repository

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/migrations"
	"chit/models"
)

// Condition decides whether a client may be changed. It gets the client as it is, without its retired
// secrets, while no one else can change it. If it returns an error, the client stays as it is, and the
// method returns that error. A nil Condition allows every change.
type Condition func(*models.Client) error

// changeable are the columns that change may write. It never writes any other column.
var changeable = []string{
	"client_secret_hash", "client_name", "allowed_scopes", "grant_types", "is_resource_server",
	"token_ttl_seconds", "disabled_at", "tokens_revoked_before", "updated_at",
	"token_endpoint_auth_method", "jwks", "jwks_uri",
	"tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri",
	"tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens", "allowed_resources", "resource",
}

// change alters a client's row and returns the client after the change. It calls alter with the time of the
// database's clock, while the row is locked. If alter writes to other tables, it must use tx, so that a
// concurrent DELETE of the client sees those rows.
func (c *Clients) change(ctx context.Context, doing, id string, allowed Condition, alter func(tx *gorm.DB, client *models.Client, now time.Time) error) (*models.Client, error) {
	return c.locked(ctx, doing, id, allowed, func(tx *gorm.DB, client *models.Client) error {
		now, err := clock(tx)
		if err != nil {
			return err
		}
		if err := alter(tx, client, now); err != nil {
			return err
		}
		if err := tx.Model(client).Select(changeable).Updates(client).Error; err != nil {
			return err
		}
		// The database has its own updated_at, which is part of the version.
		var written models.Client
		if err := tx.Preload("RetiredSecrets").Take(&written, "client_id = ?", id).Error; err != nil {
			return err
		}
		*client = written
		return nil
	})
}

// locked calls do with a client whose row is locked in a transaction, and returns the client.
func (c *Clients) locked(ctx context.Context, doing, id string, allowed Condition, do func(tx *gorm.DB, client *models.Client) error) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	var client models.Client
	var refused error
	err := c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&client, "client_id = ?", id).Error; err != nil {
			return err
		}
		if allowed != nil {
			if refused = allowed(&client); refused != nil {
				return refused
			}
		}
		return do(tx, &client)
	})
	switch {
	case refused != nil:
		return nil, refused
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, models.ErrClientNotFound
	case errors.Is(err, models.ErrPublicClient), errors.Is(err, models.ErrNoSecret):
		return nil, err
	case err != nil:
		return nil, unavailable(doing, err)
	}
	return &client, nil
}

// Clock returns the time of the database's clock.
func (c *Clients) Clock(ctx context.Context) (time.Time, error) {
	now, err := clock(c.db.WithContext(ctx))
	if err != nil {
		return time.Time{}, unavailable("read the clock", err)
	}
	return now, nil
}

// clock returns the time of the database's clock in microseconds, the precision of tokens. SQLite has no
// clock of its own and only returns milliseconds.
func clock(db *gorm.DB) (now time.Time, err error) {
	if db.Name() == string(migrations.SQLite) {
		return time.Now().UTC().Truncate(time.Microsecond), nil
	}
	err = db.Raw("SELECT clock_timestamp()").Scan(&now).Error
	return now.UTC(), err
}
