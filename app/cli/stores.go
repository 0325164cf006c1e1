package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"chit/app"
	"chit/migrations"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// stores are the database and Redis that a command works on.
type stores struct {
	app.Stores `embed:""`
}

// openOrMake is openClients for commands. It prints a notice if it creates a new SQLite file, because that
// is usually a mistake: the command runs in another directory than the server.
func (s *stores) openOrMake(c *console) (*repository.Clients, error) {
	_, missing := os.Stat(s.EmbeddedDatabase)
	clients, err := s.OpenClients()
	if err == nil && s.Dialect() == migrations.SQLite && errors.Is(missing, fs.ErrNotExist) {
		path, _ := filepath.Abs(s.EmbeddedDatabase) // it fails only without a working directory
		fmt.Fprintf(c.err, "chit: there was no database %s, so a new one was created. To use another one, set CHIT_DATABASE_URL or CHIT_EMBEDDED_DATABASE\n", cmp.Or(path, s.EmbeddedDatabase))
	}
	return clients, err
}

// withClients opens the database and calls do. It creates the embedded database if it does not exist.
func (s *stores) withClients(c *console, do func(*repository.Clients) error) error {
	clients, err := s.openOrMake(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	if s.Dialect() == migrations.SQLite {
		if _, err := migrations.Up(c, clients.DB(), migrations.SQLite); err != nil {
			return err
		}
	}
	return do(clients)
}

// withTokens opens the database and Redis and calls do.
func (s *stores) withTokens(c *console, do func(*repository.Clients, *tokens.Store) error) error {
	store, err := s.OpenTokens(c)
	if err != nil {
		return err
	}
	defer store.Redis.Close()
	err = s.withClients(c, func(clients *repository.Clients) error { return do(clients, store) })
	if errors.Is(err, models.ErrUnavailable) && c.Err() == nil {
		if failure := store.Ping(c); failure != nil {
			return app.Diagnosed(store.Redis, failure, err)
		}
	}
	return err
}

// withTokensIfAny is like withTokens. In the embedded mode without a running server, it calls do with a nil
// store.
func (s *stores) withTokensIfAny(c *console, do func(*repository.Clients, *tokens.Store) error) error {
	err := s.withTokens(c, do)
	if errors.Is(err, app.ErrNoEmbeddedServer) {
		return s.withClients(c, func(clients *repository.Clients) error { return do(clients, nil) })
	}
	return err
}
