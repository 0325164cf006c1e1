package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// errNoEmbeddedServer means that there are no tokens, because they end with the embedded server.
var errNoEmbeddedServer = errors.New("no embedded server is running")

// redisFile names the file in which an embedded server writes the URL of its Redis. Commands run in other
// processes and read it.
func redisFile(database string) string { return database + "-redis" }

// announceRedis writes the URL of the embedded Redis to a file beside the database. withdraw deletes the
// file, unless another server has replaced it.
func announceRedis(database, url string) (withdraw func() error, err error) {
	path, line := redisFile(database), url+"\n"
	// The file is renamed into place, so that readers never see half a line.
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-")
	if err != nil {
		return nil, fmt.Errorf("announce the embedded Redis: %w", err)
	}
	_, err = draft.WriteString(line)
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("announce the embedded Redis: %w", errors.Join(err, os.Remove(draft.Name())))
	}
	return func() error {
		if content, err := os.ReadFile(path); err != nil || string(content) != line {
			return nil
		}
		return os.Remove(path)
	}, nil
}

// openTokens opens the Redis of the settings, which need not answer yet. In the embedded mode it opens the
// Redis of the running server, and returns errNoEmbeddedServer if there is none.
func (s *Stores) openTokens(ctx context.Context) (*tokens.Store, error) {
	logging.Disable() // go-redis logs errors that it also returns
	url := s.RedisURL
	if s.Embedded() {
		content, err := os.ReadFile(redisFile(s.EmbeddedDatabase))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("find the embedded Redis: %w", err)
		}
		if url = strings.TrimSpace(string(content)); url == "" {
			return nil, s.noEmbeddedServer()
		}
	}
	client, err := tokens.Connect(url)
	if err != nil {
		return nil, err
	}
	store := &tokens.Store{Redis: client, Now: time.Now}
	// A server that was killed leaves the file behind.
	if s.Embedded() && store.Ping(ctx) != nil {
		client.Close()
		return nil, s.noEmbeddedServer()
	}
	return store, nil
}

func (s *Stores) noEmbeddedServer() error {
	return fmt.Errorf("%w on %s, so there are no tokens: start `chit serve`, or set CHIT_DATABASE_URL and CHIT_REDIS_URL", errNoEmbeddedServer, s.EmbeddedDatabase)
}

// completeBoth reads the settings that are given as files, and returns every fault, for a command that
// needs the database and Redis.
func (s *Stores) completeBoth() error {
	if faults := errors.Join(s.resolve(), s.validate(), s.checkHalves()); faults != nil {
		return usageError{faults}
	}
	return nil
}

// withTokens opens the database and Redis and calls do.
func (s *Stores) withTokens(c *console, do func(*repository.Clients, *tokens.Store) error) error {
	store, err := s.openTokens(c)
	if err != nil {
		return err
	}
	defer store.Redis.Close()
	err = s.withClients(c, func(clients *repository.Clients) error { return do(clients, store) })
	if errors.Is(err, models.ErrUnavailable) && c.Err() == nil {
		if failure := store.Ping(c); failure != nil {
			return diagnosed(store.Redis, failure, err)
		}
	}
	return err
}

// withTokensIfAny is like withTokens. In the embedded mode without a running server, it calls do with a nil
// store.
func (s *Stores) withTokensIfAny(c *console, do func(*repository.Clients, *tokens.Store) error) error {
	err := s.withTokens(c, do)
	if errors.Is(err, errNoEmbeddedServer) {
		return s.withClients(c, func(clients *repository.Clients) error { return do(clients, nil) })
	}
	return err
}
