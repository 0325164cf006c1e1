package models

import "time"

// Use is when a client was last seen by any node, to within a minute.
type Use struct {
	ClientID    string     `gorm:"primaryKey"`
	LastUsedAt  *time.Time // when it last authenticated; nil: never
	LastTokenAt *time.Time // when it last got a token; nil: never
}

// TableName returns the name of the table in SQL.
func (Use) TableName() string { return "oauth_client_use" }
