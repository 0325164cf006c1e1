package repository

import (
	"errors"
	"time"

	"gorm.io/gorm"
)

// beganKey is where a statement has the time of its begin.
const beganKey = "chit:began"

// Observe calls observer after each statement with its kind (query, create, update, delete, row or raw) and
// with how long it took. It must not be called while statements run.
func (c *Clients) Observe(observer func(kind string, took time.Duration)) error {
	begin := func(tx *gorm.DB) { tx.InstanceSet(beganKey, time.Now()) }
	end := func(kind string) func(*gorm.DB) {
		return func(tx *gorm.DB) {
			if began, found := tx.InstanceGet(beganKey); found {
				observer(kind, time.Since(began.(time.Time)))
			}
		}
	}
	callbacks := c.db.Callback()
	return errors.Join(
		callbacks.Query().Before("*").Register("chit:begin", begin), callbacks.Query().After("*").Register("chit:end", end("query")),
		callbacks.Create().Before("*").Register("chit:begin", begin), callbacks.Create().After("*").Register("chit:end", end("create")),
		callbacks.Update().Before("*").Register("chit:begin", begin), callbacks.Update().After("*").Register("chit:end", end("update")),
		callbacks.Delete().Before("*").Register("chit:begin", begin), callbacks.Delete().After("*").Register("chit:end", end("delete")),
		callbacks.Row().Before("*").Register("chit:begin", begin), callbacks.Row().After("*").Register("chit:end", end("row")),
		callbacks.Raw().Before("*").Register("chit:begin", begin), callbacks.Raw().After("*").Register("chit:end", end("raw")),
	)
}
