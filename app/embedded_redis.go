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

	"chit/tokens"
)

// ErrNoEmbeddedServer means that there are no tokens, because they end with the embedded server.
var ErrNoEmbeddedServer = errors.New("no embedded server is running")

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

// OpenTokens opens the Redis of the settings, which need not answer yet. In the embedded mode it opens the
// Redis of the running server, and returns ErrNoEmbeddedServer if there is none.
func (s *Stores) OpenTokens(ctx context.Context) (*tokens.Store, error) {
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
	return fmt.Errorf("%w on %s, so there are no tokens: start `chit serve`, or set CHIT_DATABASE_URL and CHIT_REDIS_URL", ErrNoEmbeddedServer, s.EmbeddedDatabase)
}
