package repository

import (
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"

	"chit/models"
)

// createBatch is the number of clients in one statement of CreateAll.
const createBatch = 200

// CreateAll adds clients with their retired secrets, all of them or none. done is called with the number of
// clients so far. It returns models.ErrClientExists if an id is taken.
func (c *Clients) CreateAll(ctx context.Context, clients []models.Client, done func(count int)) error {
	err := c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		count := 0
		for batch := range slices.Chunk(clients, createBatch) {
			if err := tx.Omit("Use").Create(&batch).Error; err != nil {
				return err
			}
			count += len(batch)
			done(count)
		}
		return nil
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return models.ErrClientExists
	}
	if err != nil {
		return unavailable("create clients", err)
	}
	return nil
}

// All returns all clients with their retired secrets, ordered by id.
func (c *Clients) All(ctx context.Context) ([]models.Client, error) {
	var clients []models.Client
	if err := c.db.WithContext(ctx).Preload("RetiredSecrets").Preload("Federations").Order("client_id").Find(&clients).Error; err != nil {
		return nil, unavailable("list clients", err)
	}
	return clients, nil
}
