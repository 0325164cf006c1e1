package app

import (
	"chit/migrations"
	"chit/repository"
)

// OpenClients opens the database of the settings.
func (s *Stores) OpenClients() (*repository.Clients, error) {
	if s.DatabaseURL == "" {
		return repository.OpenSQLite(s.EmbeddedDatabase)
	}
	return repository.OpenPostgreSQL(s.DatabaseURL)
}

// Dialect returns the kind of database of the settings.
func (s *Stores) Dialect() migrations.Dialect {
	if s.DatabaseURL == "" {
		return migrations.SQLite
	}
	return migrations.PostgreSQL
}
