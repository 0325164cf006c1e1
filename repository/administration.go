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

// Changes are what an operator alters of a client. What is nil stays as it is.
type Changes struct {
	Name            *string
	Scope           *string // separated by spaces
	ResourceServer  *bool
	TokenTTLSeconds *int64 // 0: the server's
}

// Rotation is a change of a client's secret.
type Rotation struct {
	SecretHash   string        // of the new secret, as models.HashSecret returns it
	Overlap      time.Duration // for so long the old secret works too; 0: it does not
	RevokeTokens bool          // tokens issued until now become inactive
}

// changeable are the columns that change writes. A column that is not among them is never touched,
// whatever an operator has put there.
var changeable = []string{
	"client_secret_hash", "client_name", "allowed_scopes", "is_resource_server", "token_ttl_seconds",
	"disabled_at", "tokens_revoked_before", "updated_at",
}

// Update makes the changes to a client and returns it as it is then, or models.ErrClientNotFound.
func (c *Clients) Update(ctx context.Context, id string, changes Changes) (*models.Client, error) {
	return c.change(ctx, "update client", id, func(_ *gorm.DB, client *models.Client, _ time.Time) error {
		set(&client.ClientName, changes.Name)
		set(&client.AllowedScopes, changes.Scope)
		set(&client.IsResourceServer, changes.ResourceServer)
		if changes.TokenTTLSeconds != nil {
			client.TokenTTLSeconds = changes.TokenTTLSeconds
			if *changes.TokenTTLSeconds == 0 {
				client.TokenTTLSeconds = nil
			}
		}
		return nil
	})
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// Disable shuts a client out, revokes its tokens, and returns it as it is then, or
// models.ErrClientNotFound. For one that is disabled already the instant of that stays.
func (c *Clients) Disable(ctx context.Context, id string) (*models.Client, error) {
	return c.change(ctx, "disable client", id, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		if client.DisabledAt == nil {
			client.DisabledAt = &now
		}
		revokeUpTo(client, now)
		return nil
	})
}

// Enable lets a disabled client in again and returns it as it is then, or models.ErrClientNotFound.
// Tokens that Disable has ended stay ended; those of a client that was disabled by SQL live again.
func (c *Clients) Enable(ctx context.Context, id string) (*models.Client, error) {
	return c.change(ctx, "enable client", id, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		// A node that had not yet learned of Disable may have issued a token after it.
		if revoked := client.TokensRevokedBefore; client.Disabled() && revoked != nil && !revoked.Before(*client.DisabledAt) {
			revokeUpTo(client, now)
		}
		client.DisabledAt = nil
		return nil
	})
}

// RotateSecret gives a client a new secret. It returns the client as it is then, and the instant at which
// the old secret expires: the zero time if it does not work any more. It also removes the client's retired
// secrets that have expired. It returns models.ErrClientNotFound, or models.ErrPublicClient for a client
// that can keep no secret.
func (c *Clients) RotateSecret(ctx context.Context, id string, rotation Rotation) (client *models.Client, oldExpires time.Time, err error) {
	client, err = c.change(ctx, "rotate secret", id, func(tx *gorm.DB, client *models.Client, now time.Time) error {
		if client.IsPublic {
			return models.ErrPublicClient
		}
		old := client.ClientSecretHash
		client.ClientSecretHash = rotation.SecretHash
		if rotation.RevokeTokens {
			revokeUpTo(client, now)
		}
		if old != "" && old != rotation.SecretHash && rotation.Overlap > 0 {
			oldExpires = now.Add(rotation.Overlap)
			if err := retire(tx, id, old, oldExpires); err != nil {
				return err
			}
		}
		return removeExpired(tx, id, now)
	})
	return client, oldExpires, err
}

// retire lets an old secret work until expires. One that has been retired before starts anew.
func retire(tx *gorm.DB, id, hash string, expires time.Time) error {
	again := clause.OnConflict{
		Columns:   []clause.Column{{Name: "client_id"}, {Name: "secret_hash"}},
		DoUpdates: clause.AssignmentColumns([]string{"expires_at", "last_used_at"}),
	}
	return tx.Clauses(again).Create(&models.RetiredSecret{ClientID: id, SecretHash: hash, ExpiresAt: expires}).Error
}

func removeExpired(tx *gorm.DB, id string, now time.Time) error {
	var retired []models.RetiredSecret
	if err := tx.Find(&retired, "client_id = ?", id).Error; err != nil {
		return err
	}
	for _, secret := range retired {
		// Compared here, since instants are text of several forms in SQLite.
		if !now.Before(secret.ExpiresAt) {
			if err := tx.Delete(&secret).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete removes a client and its retired secrets, or returns models.ErrClientNotFound.
func (c *Clients) Delete(ctx context.Context, id string) error {
	if !models.CanBeClientID(id) {
		return models.ErrClientNotFound
	}
	deleted := c.db.WithContext(ctx).Delete(&models.Client{}, "client_id = ?", id)
	if deleted.Error != nil {
		return unavailable("delete client", deleted.Error)
	}
	if deleted.RowsAffected == 0 {
		return models.ErrClientNotFound
	}
	return nil
}

// RevokeTokens makes all tokens of a client inactive that were issued until now, and returns the
// instant, by the database's clock, at or before which they were issued; or
// models.ErrClientNotFound.
func (c *Clients) RevokeTokens(ctx context.Context, id string) (time.Time, error) {
	client, err := c.change(ctx, "revoke tokens", id, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		revokeUpTo(client, now)
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return *client.TokensRevokedBefore, nil
}

// RevokeAllTokens does what RevokeTokens does for all clients, and returns the instant.
func (c *Clients) RevokeAllTokens(ctx context.Context) (now time.Time, err error) {
	err = c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The instant is read when every row is locked: until then others may hold one for any time, and
		// tokens are issued.
		var locked []string
		if err := tx.Model(&models.Client{}).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Order("client_id").Pluck("client_id", &locked).Error; err != nil {
			return err
		}
		if now, err = clock(tx); err != nil {
			return err
		}
		older := "tokens_revoked_before IS NULL OR tokens_revoked_before < ?"
		if tx.Name() == string(migrations.SQLite) {
			// Instants are text there, and not of one form.
			older = "tokens_revoked_before IS NULL OR julianday(tokens_revoked_before) < julianday(?)"
		}
		return tx.Model(&models.Client{}).Where(older, now).Update("tokens_revoked_before", now).Error
	})
	if err != nil {
		return time.Time{}, unavailable("revoke all tokens", err)
	}
	return now, nil
}

// revokeUpTo makes the tokens issued at or before now inactive. A later instant, whoever has set
// it, stays.
func revokeUpTo(client *models.Client, now time.Time) {
	if client.TokensRevokedBefore == nil || client.TokensRevokedBefore.Before(now) {
		client.TokensRevokedBefore = &now
	}
}

// change alters a client's row in a transaction that has locked it, and returns the client as it is
// then. It gives alter the instant of the database's clock; what alter adds for this client in
// other tables through tx must come after the lock, which keeps a DELETE from missing it.
func (c *Clients) change(ctx context.Context, doing, id string, alter func(tx *gorm.DB, client *models.Client, now time.Time) error) (*models.Client, error) {
	if !models.CanBeClientID(id) {
		return nil, models.ErrClientNotFound
	}
	var client models.Client
	err := c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&client, "client_id = ?", id).Error; err != nil {
			return err
		}
		now, err := clock(tx)
		if err != nil {
			return err
		}
		if err := alter(tx, &client, now); err != nil {
			return err
		}
		if err := tx.Model(&client).Select(changeable).Updates(&client).Error; err != nil {
			return err
		}
		return tx.Find(&client.RetiredSecrets, "client_id = ?", id).Error
	})
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, models.ErrClientNotFound
	case errors.Is(err, models.ErrPublicClient):
		return nil, err
	case err != nil:
		return nil, unavailable(doing, err)
	}
	return &client, nil
}

// clock returns the instant by the database's clock, to the microsecond as tokens have it. SQLite
// has no clock but this machine's, and would cut it to the millisecond.
func clock(db *gorm.DB) (now time.Time, err error) {
	if db.Name() == string(migrations.SQLite) {
		return time.Now().UTC().Truncate(time.Microsecond), nil
	}
	err = db.Raw("SELECT clock_timestamp()").Scan(&now).Error
	return now.UTC(), err
}
