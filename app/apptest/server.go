package apptest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/app"
	"chit/repository"
)

// Server is a complete, running Chit on free ports.
type Server struct {
	*app.Server
	DatabaseURL string // empty: embedded
	RedisURL    string // empty: embedded
	Redis       *Redis // nil: embedded

	t    testing.TB
	file string // path of the SQLite file
	log  *lockedBuffer
}

// Embedded starts a server in the embedded mode. flags are those of chit serve.
func Embedded(t testing.TB, flags ...string) *Server {
	t.Helper()
	s := &Server{t: t, file: filepath.Join(t.TempDir(), "chit.db")}
	return s.start(append([]string{"--embedded-database=" + s.file}, flags...))
}

// Real starts a server with its own database and Redis. flags are those of chit serve.
func Real(t testing.TB, flags ...string) *Server {
	t.Helper()
	return On(t, Database(t), StartRedis(t), flags...)
}

// On starts a server on a database and a Redis that the test has started.
func On(t testing.TB, databaseURL string, redis *Redis, flags ...string) *Server {
	t.Helper()
	s := &Server{t: t, DatabaseURL: databaseURL, RedisURL: redis.URL, Redis: redis}
	return s.start(append([]string{"--database-url=" + s.DatabaseURL, "--redis-url=" + s.RedisURL}, flags...))
}

// Each runs the test with a server of each kind.
func Each(t *testing.T, test func(*testing.T, *Server), flags ...string) {
	t.Run("embedded", func(t *testing.T) { test(t, Embedded(t, flags...)) })
	t.Run("real", func(t *testing.T) { test(t, Real(t, flags...)) })
}

// Another starts another node with the database and the Redis of s.
func (s *Server) Another(flags ...string) *Server {
	s.t.Helper()
	return On(s.t, s.DatabaseURL, s.Redis, flags...)
}

func (s *Server) start(flags []string) *Server {
	s.t.Helper()
	config, err := app.ParseConfig(append([]string{"--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0"}, flags...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = &lockedBuffer{}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.Server, err = app.Start(s.t.Context(), config, log); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		// A connection that was opened and not used counts as in use for five seconds.
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx, 0); err != nil {
			s.t.Errorf("stop the server: %v", err)
		}
	})
	return s
}

// Exec runs an SQL statement from outside the server: by psql, or on another connection to the SQLite file.
func (s *Server) Exec(sql string) {
	s.t.Helper()
	if s.DatabaseURL != "" {
		Psql(s.t, s.DatabaseURL, sql)
		return
	}
	clients, err := repository.OpenSQLite(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer clients.Close()
	if _, err := clients.DB().Exec(sql); err != nil {
		s.t.Fatalf("%v: %s", err, sql)
	}
}

// RedisCLI runs redis-cli on the server's Redis, real or embedded, and returns the output.
func (s *Server) RedisCLI(args ...string) string {
	s.t.Helper()
	if s.Redis != nil {
		return s.Redis.CLI(args...)
	}
	path, err := exec.LookPath("redis-cli")
	if err != nil {
		must(s.t, notInstalled{product: "redis-cli", install: "apt-get install redis-tools"})
	}
	out, err := exec.Command(path, append([]string{"-e", "-p", s.RedisPort}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("redis-cli %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// RedisClient returns a client for the server's Redis, real or embedded.
func (s *Server) RedisClient() redis.UniversalClient {
	if s.Redis != nil {
		return s.Redis.Client()
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + s.RedisPort})
	s.t.Cleanup(func() { client.Close() })
	return client
}

// Log returns the log so far, with a JSON object on each line.
func (s *Server) Log() string { return s.log.String() }

// lockedBuffer is a bytes.Buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
