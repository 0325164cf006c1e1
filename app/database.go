package app

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"chit/migrations"
	"chit/repository"
)

// openClients opens the database of the settings.
func (s *Stores) openClients() (*repository.Clients, error) {
	if s.DatabaseURL == "" {
		return repository.OpenSQLite(s.EmbeddedDatabase)
	}
	return repository.OpenPostgreSQL(s.DatabaseURL)
}

// openOrMake is openClients for commands. It prints a notice if it creates a new SQLite file, because that
// is usually a mistake: the command runs in another directory than the server.
func (s *Stores) openOrMake(c *console) (*repository.Clients, error) {
	_, missing := os.Stat(s.EmbeddedDatabase)
	clients, err := s.openClients()
	if err == nil && s.dialect() == migrations.SQLite && errors.Is(missing, fs.ErrNotExist) {
		path, _ := filepath.Abs(s.EmbeddedDatabase) // it fails only without a working directory
		fmt.Fprintf(c.err, "chit: there was no database %s, so a new one was created. To use another one, set CHIT_DATABASE_URL or CHIT_EMBEDDED_DATABASE\n", cmp.Or(path, s.EmbeddedDatabase))
	}
	return clients, err
}

// withClients opens the database and calls do. It creates the embedded database if it does not exist.
func (s *Stores) withClients(c *console, do func(*repository.Clients) error) error {
	clients, err := s.openOrMake(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	if s.dialect() == migrations.SQLite {
		if _, err := migrations.Up(c, clients.DB(), migrations.SQLite); err != nil {
			return err
		}
	}
	return do(clients)
}

func (s *Stores) dialect() migrations.Dialect {
	if s.DatabaseURL == "" {
		return migrations.SQLite
	}
	return migrations.PostgreSQL
}
