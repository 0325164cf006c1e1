package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/migrations"
	"chit/tokens"
)

// startTimeout is how long Start waits for the database to answer, and then for Redis.
const startTimeout = 10 * time.Second

func (s *Server) openDatabase(ctx context.Context, log *slog.Logger) (err error) {
	dialect := s.config.Dialect()
	if s.clients, err = s.config.OpenClients(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.clients.Close)
	if err := pingAtStart(ctx, s.clients.Ping); err != nil {
		return err
	}
	if s.config.Migrate == "on" {
		applied, err := migrations.Up(ctx, s.clients.DB(), dialect)
		for _, step := range applied {
			log.Info("migration applied", "version", step.Version, "name", step.Name)
		}
		if err != nil {
			return err
		}
	}
	return s.checkSchema(ctx, log)
}

// checkSchema returns an error if the database lacks a step that the server needs. It only warns if it lacks
// another step, or has steps that this program does not know: during a rolling upgrade, nodes of two versions
// run on one schema.
func (s *Server) checkSchema(ctx context.Context, log *slog.Logger) error {
	steps, err := migrations.Status(ctx, s.clients.DB(), s.config.Dialect())
	if err != nil {
		return err
	}
	pending, unknown := migrations.Count(steps)
	switch {
	case migrations.Lacks(steps, s.config.Dialect()):
		return fmt.Errorf("the database lacks migrations, %d of them: run `chit migrate up`, or set CHIT_MIGRATE=on", pending)
	case pending > 0:
		log.Warn("the database lacks migrations, and what is new in this version does not work: run `chit migrate up`", "steps", pending)
	}
	if unknown > 0 {
		log.Warn("the database schema is newer than this program: run the version that applied it", "schema_version", steps[len(steps)-1].Version, "unknown_steps", unknown)
	}
	return nil
}

func (s *Server) openRedis(ctx context.Context) (err error) {
	url := s.config.RedisURL
	if s.config.Embedded() {
		if s.embeddedRedis, err = startRedis(); err != nil {
			return err
		}
		s.closers = append(s.closers, s.embeddedRedis.stop)
		s.RedisPort = s.embeddedRedis.Port()
		url = s.embeddedRedisURL()
	}
	if s.redis, err = tokens.Connect(url); err != nil {
		return err
	}
	s.closers = append(s.closers, s.redis.Close)
	if err := pingAtStart(ctx, (&tokens.Store{Redis: s.redis}).Ping); err != nil {
		return Diagnosed(s.redis, err, err)
	}
	return nil
}

// Diagnosed adds the likely fault in CHIT_REDIS_URL to err. failure is the error of Redis.
func Diagnosed(client redis.UniversalClient, failure, err error) error {
	if what := tokens.Diagnose(client, failure); what != "" {
		return fmt.Errorf("%s (CHIT_REDIS_URL): %w", what, err)
	}
	return err
}

func pingAtStart(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return ping(ctx)
}
