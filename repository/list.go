package repository

import (
	"context"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chit/models"
)

// Page selects the clients that List returns. The zero value selects all of them.
type Page struct {
	Query string // part of the id or the name, in upper or lower case; empty: any
	After string // only ids that come after this one
	Limit int    // maximum number of clients; 0: no limit
}

// List returns clients ordered by id, with their last use and without their retired secrets.
func (c *Clients) List(ctx context.Context, page Page) ([]models.Client, error) {
	find := c.matching(ctx, page.Query).Order("oauth_client.client_id")
	if page.After != "" {
		find = find.Where("oauth_client.client_id > ?", page.After)
	}
	if page.Limit > 0 {
		find = find.Limit(page.Limit)
	}
	return withUse(find)
}

// Sheet selects the clients that Sorted returns.
type Sheet struct {
	Query      string // as in Page
	Sort       Column
	Descending bool
	Offset     int // number of clients before the first one
	Limit      int
}

// Column is what clients are sorted by. Clients without a value come last.
type Column string

// The columns to sort by. The zero value is ByID.
const (
	ByID      Column = "client_id"
	ByName    Column = "client_name"
	ByCreated Column = "created_at"
	ByLastUse Column = "last_used_at"
)

// Sorted returns clients like those of List, and how many there are without Offset and Limit.
func (c *Clients) Sorted(ctx context.Context, sheet Sheet) (clients []models.Client, total int64, err error) {
	if err := c.matching(ctx, sheet.Query).Model(&models.Client{}).Count(&total).Error; err != nil {
		return nil, 0, unavailable("count clients", err)
	}
	find := c.matching(ctx, sheet.Query).Offset(sheet.Offset).Limit(sheet.Limit)
	for _, by := range sheet.order() {
		find = find.Order(by)
	}
	clients, err = withUse(find)
	return clients, total, err
}

// order returns the columns to sort by. The id makes the order unique.
func (s Sheet) order() []clause.OrderByColumn {
	by := func(sql string, descending bool) clause.OrderByColumn {
		return clause.OrderByColumn{Column: clause.Column{Name: sql, Raw: true}, Desc: descending}
	}
	id := by("oauth_client.client_id", s.Descending && (s.Sort == ByID || s.Sort == ""))
	switch s.Sort {
	case ByName:
		return []clause.OrderByColumn{by("client_name = ''", false), by("lower(client_name)", s.Descending), id}
	case ByCreated:
		return []clause.OrderByColumn{by("created_at", s.Descending), id}
	case ByLastUse:
		return []clause.OrderByColumn{by(`"Use".last_used_at IS NULL`, false), by(`"Use".last_used_at`, s.Descending), id}
	}
	return []clause.OrderByColumn{id}
}

// matching returns a query for clients and their last use.
func (c *Clients) matching(ctx context.Context, query string) *gorm.DB {
	find := c.db.WithContext(ctx).Joins("Use")
	if query == "" {
		return find
	}
	pattern := "%" + likeLiteral.Replace(query) + "%"
	return find.Where("(lower(oauth_client.client_id) LIKE lower(?) ESCAPE '!' OR lower(client_name) LIKE lower(?) ESCAPE '!')", pattern, pattern)
}

// likeLiteral escapes text for LIKE … ESCAPE '!'.
var likeLiteral = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// withUse runs a query for clients. The Use of each client is not nil.
func withUse(find *gorm.DB) ([]models.Client, error) {
	var clients []models.Client
	if err := find.Find(&clients).Error; err != nil {
		return nil, unavailable("list clients", err)
	}
	for i := range clients {
		if clients[i].Use == nil {
			clients[i].Use = &models.Use{ClientID: clients[i].ClientID}
		}
	}
	return clients, nil
}
