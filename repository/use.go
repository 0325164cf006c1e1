package repository

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/models"
)

// useBatch is the number of clients in one statement.
const useBatch = 1000

// RecordUses stores when clients were last seen. It does not replace a later time, which another node may
// have stored.
func (c *Clients) RecordUses(ctx context.Context, uses []models.Use) error {
	// Every node writes in the same order, so that no two wait for each other.
	slices.SortFunc(uses, func(a, b models.Use) int { return cmp.Compare(a.ClientID, b.ClientID) })
	later := clause.OnConflict{
		Columns:   []clause.Column{{Name: "client_id"}},
		DoUpdates: clause.Assignments(map[string]any{"last_used_at": laterOf("last_used_at"), "last_token_at": laterOf("last_token_at")}),
	}
	for batch := range slices.Chunk(uses, useBatch) {
		if err := c.db.WithContext(ctx).Clauses(later).Create(&batch).Error; err != nil {
			return unavailable("record uses", err)
		}
	}
	return nil
}

func laterOf(column string) clause.Expr {
	old, given := "oauth_client_use."+column, "excluded."+column
	return gorm.Expr("CASE WHEN " + old + " > " + given + " OR " + given + " IS NULL THEN " + old + " ELSE " + given + " END")
}

// Describe is Find with the client's last use. The client's Use is not nil.
func (c *Clients) Describe(ctx context.Context, id string) (*models.Client, error) {
	client, err := c.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	client.Use, err = c.LastUse(ctx, id)
	return client, err
}

// LastUse returns when a client was last seen.
func (c *Clients) LastUse(ctx context.Context, id string) (*models.Use, error) {
	use := &models.Use{ClientID: id}
	if err := c.db.WithContext(ctx).Limit(1).Find(use, "client_id = ?", id).Error; err != nil {
		return nil, unavailable("find use", err)
	}
	return use, nil
}

// UseSummary are numbers of clients, by when they were last used.
type UseSummary struct {
	Never      int64 `json:"never"`
	LastHour   int64 `json:"last_hour"`
	LastDay    int64 `json:"last_day"`     // but not in the last hour
	Last30Days int64 `json:"last_30_days"` // but not in the last day
	Earlier    int64 `json:"earlier"`
}

// SummarizeUse counts the clients by when they were last used before the time now.
func (c *Clients) SummarizeUse(ctx context.Context, now time.Time) (summary UseSummary, err error) {
	query := `SELECT count(CASE WHEN last_used_at IS NULL THEN 1 END) AS never,
		count(CASE WHEN last_used_at >= ? THEN 1 END) AS last_hour,
		count(CASE WHEN last_used_at < ? AND last_used_at >= ? THEN 1 END) AS last_day,
		count(CASE WHEN last_used_at < ? AND last_used_at >= ? THEN 1 END) AS last30_days,
		count(CASE WHEN last_used_at < ? THEN 1 END) AS earlier
		FROM oauth_client LEFT JOIN oauth_client_use USING (client_id)`
	now = now.UTC()
	hour, day, month := now.Add(-time.Hour), now.AddDate(0, 0, -1), now.AddDate(0, 0, -30)
	if err := c.db.WithContext(ctx).Raw(query, hour, hour, day, day, month, month).Scan(&summary).Error; err != nil {
		return UseSummary{}, unavailable("summarize uses", err)
	}
	return summary, nil
}
