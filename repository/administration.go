package repository

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/migrations"
	"chit/models"
)

// Changes are an operator's changes to a client. A nil field stays as it is.
type Changes struct {
	Name            *string
	Scope           *string // separated by spaces
	GrantTypes      *string // separated by spaces
	ResourceServer  *bool
	TokenTTLSeconds *int64 // 0: the server's default
	// More changes other columns; nil: it does not.
	More func(*models.Client)
}

// Rotation is a change of a client's secret.
type Rotation struct {
	SecretHash   string        // of the new secret, as models.HashSecret returns it
	Overlap      time.Duration // how long the old secret works, too; 0: it ends at once
	RevokeTokens bool          // also make all tokens inactive that were issued until now
}

// Update makes the changes to a client and returns the client after them, or models.ErrClientNotFound.
func (c *Clients) Update(ctx context.Context, id string, changes Changes, allowed Condition) (*models.Client, error) {
	return c.change(ctx, "update client", id, allowed, func(_ *gorm.DB, client *models.Client, _ time.Time) error {
		set(&client.ClientName, changes.Name)
		set(&client.AllowedScopes, changes.Scope)
		set(&client.GrantTypes, changes.GrantTypes)
		set(&client.IsResourceServer, changes.ResourceServer)
		if changes.More != nil {
			changes.More(client)
		}
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

// Disable disables a client and revokes its tokens. It returns the client after the change, or
// models.ErrClientNotFound. If the client is disabled already, disabled_at stays as it is.
func (c *Clients) Disable(ctx context.Context, id string, allowed Condition) (*models.Client, error) {
	return c.change(ctx, "disable client", id, allowed, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		if client.DisabledAt == nil {
			client.DisabledAt = &now
		}
		revokeUpTo(client, now)
		return nil
	})
}

// Enable enables a disabled client. It returns the client after the change, or models.ErrClientNotFound.
// Tokens that Disable has revoked stay revoked. If the client was disabled by SQL alone, its tokens are
// active again.
func (c *Clients) Enable(ctx context.Context, id string, allowed Condition) (*models.Client, error) {
	return c.change(ctx, "enable client", id, allowed, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		// A node that did not know of Disable yet may have issued a token after it.
		if revoked := client.TokensRevokedBefore; client.Disabled() && revoked != nil && !revoked.Before(*client.DisabledAt) {
			revokeUpTo(client, now)
		}
		client.DisabledAt = nil
		return nil
	})
}

// RotateSecret gives a client a new secret. It returns the client after the change, and the time at which
// the old secret expires; the zero time means that the old secret does not work any more. It also deletes
// the client's expired retired secrets. It returns models.ErrClientNotFound, models.ErrPublicClient for a
// public client, or models.ErrNoSecret for one that authenticates without a secret.
func (c *Clients) RotateSecret(ctx context.Context, id string, rotation Rotation, allowed Condition) (client *models.Client, oldExpires time.Time, err error) {
	client, err = c.change(ctx, "rotate secret", id, allowed, func(tx *gorm.DB, client *models.Client, now time.Time) error {
		if client.IsPublic {
			return models.ErrPublicClient
		}
		if !client.UsesSecret() {
			return models.ErrNoSecret
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

// retire lets an old secret work until expires. A secret that was retired before gets the new expiry.
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
		// The comparison is in Go, because SQLite stores times as text in several forms.
		if !now.Before(secret.ExpiresAt) {
			if err := tx.Delete(&secret).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete deletes a client and its retired secrets. It returns the time of the deletion by the database's
// clock: a new client of this id gets its tokens later. It returns models.ErrClientNotFound if there is no
// such client.
func (c *Clients) Delete(ctx context.Context, id string, allowed Condition) (deleted time.Time, err error) {
	_, err = c.locked(ctx, "delete client", id, allowed, func(tx *gorm.DB, client *models.Client) (err error) {
		if deleted, err = clock(tx); err != nil {
			return err
		}
		return tx.Delete(&models.Client{}, "client_id = ?", id).Error
	})
	return deleted, err
}

// RevokeTokens makes all tokens of a client inactive that were issued until now, by the database's clock. It
// returns the client after the change, or models.ErrClientNotFound.
func (c *Clients) RevokeTokens(ctx context.Context, id string, allowed Condition) (*models.Client, error) {
	return c.change(ctx, "revoke tokens", id, allowed, func(_ *gorm.DB, client *models.Client, now time.Time) error {
		revokeUpTo(client, now)
		return nil
	})
}

// RevokeAllTokens is RevokeTokens for all clients. It returns the ids of the clients, in their order, and the
// time up to which tokens are inactive.
func (c *Clients) RevokeAllTokens(ctx context.Context) (ids []string, now time.Time, err error) {
	err = c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The clock is read after every row is locked. Tokens may be issued while this statement waits for
		// the locks of others.
		if err := tx.Model(&models.Client{}).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Order("client_id").Pluck("client_id", &ids).Error; err != nil {
			return err
		}
		if now, err = clock(tx); err != nil {
			return err
		}
		older := "tokens_revoked_before IS NULL OR tokens_revoked_before < ?"
		if tx.Name() == string(migrations.SQLite) {
			// SQLite stores times as text in several forms.
			older = "tokens_revoked_before IS NULL OR julianday(tokens_revoked_before) < julianday(?)"
		}
		return tx.Model(&models.Client{}).Where(older, now).Update("tokens_revoked_before", now).Error
	})
	if err != nil {
		return nil, time.Time{}, unavailable("revoke all tokens", err)
	}
	return ids, now, nil
}

// revokeUpTo makes the tokens inactive that were issued at or before now. It does not replace a later time.
func revokeUpTo(client *models.Client, now time.Time) {
	if client.TokensRevokedBefore == nil || client.TokensRevokedBefore.Before(now) {
		client.TokensRevokedBefore = &now
	}
}
