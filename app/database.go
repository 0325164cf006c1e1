package app

import (
	"chit/migrations"
	"chit/repository"
)

// openClients opens the database that the settings name.
func (s *Stores) openClients() (*repository.Clients, error) {
	if s.DatabaseURL == "" {
		return repository.OpenSQLite(s.EmbeddedDatabase)
	}
	return repository.OpenPostgreSQL(s.DatabaseURL)
}

func (s *Stores) dialect() migrations.Dialect {
	if s.DatabaseURL == "" {
		return migrations.SQLite
	}
	return migrations.PostgreSQL
}
