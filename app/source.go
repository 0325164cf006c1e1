package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/handlers"
	"chit/invalidations"
	"chit/repository"
	"chit/tokens"
)

// clientCacheSize is the maximum number of clients in memory. Each takes about a kilobyte.
const clientCacheSize = 100_000

// source is where requests find clients and hear of changes.
type source struct {
	find      handlers.Clients
	usable    func() bool // whether clients in memory may be used while the database is away; nil: there are none
	current   func() bool // whether clients are at most a second old
	subscribe func(context.Context, string) (*invalidations.Receiver, error)
}

// openSource returns the source of the embedded mode, or that of real stores.
func (s *Server) openSource(registry prometheus.Registerer, log *slog.Logger) (source, error) {
	if s.config.Embedded() {
		return s.embeddedSource(log), nil
	}
	cache, err := repository.NewCache(s.clients, repository.CacheOptions{
		Size:     clientCacheSize,
		MaxStale: s.config.ClientMaxStale.Duration,
		Timeout:  s.config.RequestTimeout.Duration / 2,
		Tracer:   s.tracer,
	})
	if err != nil {
		return source{}, err
	}
	registerCache(registry, cache)
	// Nodes may hear of a change in the database up to a second apart, but all ask the same Redis.
	database, redis := s.hub.NewSource(true), s.hub.NewSource(false)
	listener := tokens.NewListener(s.redis, redis, log)
	s.background(func(ctx context.Context) {
		_ = cache.Watch(ctx, s.config.DatabaseURL, pulse{database, listener.Prove}, log) // the URL was validated before
	})
	return source{
		find:      cache,
		usable:    cache.Usable,
		current:   cache.Hearing,
		subscribe: s.onFirstReceiver(listener.Run),
	}, nil
}

// pulse is an observer of the database that calls proven whenever the database is proven. A proof of Redis
// that follows at once gives a heartbeat.
type pulse struct {
	*invalidations.Source
	proven func()
}

// Proven reports that every change before the time until has been reported.
func (p pulse) Proven(until time.Time) {
	p.Source.Proven(until)
	p.proven()
}

// embeddedSource has no cache, because SQLite is fast enough and sends no notifications. No other node can
// be behind.
func (s *Server) embeddedSource(log *slog.Logger) source {
	database, redis := s.hub.NewSource(false), s.hub.NewSource(false)
	listen := func(ctx context.Context) {
		defer s.embeddedRedis.watch()()
		var both sync.WaitGroup
		both.Go(func() { s.embeddedRedis.listen(ctx, redis) })
		both.Go(func() {
			s.clients.Poll(ctx, pulse{database, func() { redis.Proven(time.Now()) }}, log)
		})
		both.Wait()
	}
	return source{
		find:      s.clients,
		current:   func() bool { return true },
		subscribe: s.onFirstReceiver(listen),
	}
}

// onFirstReceiver returns a function that subscribes to the hub. Its first call starts listen in the
// background, so a server without receivers does not pay for them.
func (s *Server) onFirstReceiver(listen func(context.Context)) func(context.Context, string) (*invalidations.Receiver, error) {
	first := make(chan struct{})
	start := sync.OnceFunc(func() { close(first) })
	s.background(func(ctx context.Context) {
		select {
		case <-first:
			listen(ctx)
		case <-ctx.Done():
		}
	})
	return func(ctx context.Context, clientID string) (*invalidations.Receiver, error) {
		start()
		return s.hub.Subscribe(ctx, clientID)
	}
}
