package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.opentelemetry.io/otel/trace"

	"chit/audit"
	"chit/handlers"
	"chit/invalidations"
	"chit/repository"
	"chit/tokens"
	"chit/usage"
)

// Limits for every connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 5 * time.Second
	answerTimeout     = 10 * time.Second // in addition to the timeout of the request
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
)

// Server is a running Chit.
type Server struct {
	URL       string // of the public listener, without a trailing slash
	MTLSURL   string // of the listener that asks clients for certificates; empty: there is none of its own
	OpsURL    string // of the ops listener
	RedisPort string // of the embedded Redis; empty with a real Redis

	config    Config
	api       *handlers.API
	hub       *invalidations.Hub
	tracer    trace.Tracer // nil: there are no traces
	registry  *prometheus.Registry
	clients   *repository.Clients
	redis     redis.UniversalClient
	tokens    *tokens.Store
	current   func() bool // whether clients are at most a second old
	audit     *audit.Trail
	shared    *audit.Shared // nil: no events are kept in Redis
	servers   []*http.Server
	listeners []*listener
	public    []*listener // those of clients
	failed    chan error
	closers   []func() error

	certificates []*certificate // of the listeners with TLS

	embeddedRedis *embeddedRedis // nil with a real Redis
}

// Start starts a server with a complete Config. The error explains in one line what is wrong.
func Start(ctx context.Context, config Config, log *slog.Logger) (_ *Server, err error) {
	s := &Server{config: config, failed: make(chan error, 3)} // one for each listener
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	logging.Disable() // go-redis logs errors that it also returns
	if err := s.openTraces(ctx, log); err != nil {
		return nil, err
	}
	if err := s.openDatabase(ctx, log); err != nil {
		return nil, err
	}
	if err := s.openRedis(ctx); err != nil {
		return nil, err
	}
	if !config.Embedded() {
		s.background(func(ctx context.Context) { tokens.Watch(ctx, s.redis, log) })
	} else if err := addDemoClients(ctx, s.clients); err != nil {
		return nil, err
	}
	if s.registry, err = s.newRegistry(); err != nil {
		return nil, err
	}
	if s.api, err = s.newAPI(s.registry, log); err != nil {
		return nil, err
	}
	if err := s.listenForClients(s.api.Handler(), log); err != nil {
		return nil, err
	}
	s.public = s.listeners
	pages, admin := s.newConsole(log)
	ops := &http.Server{Handler: opsHandler(s.registry, admin.Handler(), pages.Handler())} // no write timeout, because profiles take long
	ops.RegisterOnShutdown(pages.Close)
	if s.OpsURL, err = s.listen(endpoint{name: "ops", address: config.OpsListen, setting: "CHIT_OPS_LISTEN", files: config.opsPair()}, ops, log); err != nil {
		return nil, err
	}
	return s, s.announce()
}

// announce writes the file with which commands find the embedded Redis. It runs last, so that a server that
// fails to start does not replace the file of a running one.
func (s *Server) announce() error {
	if !s.config.Embedded() {
		return nil
	}
	withdraw, err := announceRedis(s.config.EmbeddedDatabase, s.embeddedRedisURL())
	if err == nil {
		s.closers = append(s.closers, withdraw)
	}
	return err
}

func (s *Server) embeddedRedisURL() string { return "redis://127.0.0.1:" + s.RedisPort }

func (s *Server) newAPI(registry prometheus.Registerer, log *slog.Logger) (*handlers.API, error) {
	s.tokens = &tokens.Store{
		Redis:    s.redis,
		Prefix:   s.config.TokenPrefix,
		Now:      time.Now,
		Timeout:  s.config.RequestTimeout.Duration / 2,
		Apart:    s.config.RedisBatching == "off",
		Replicas: s.config.replicas(),
		Tracer:   s.tracer,
	}
	registerBatches(registry, s.tokens)
	s.hub = invalidations.NewHub(registry)
	clients, err := s.openSource(registry, log)
	if err != nil {
		return nil, err
	}
	s.current = clients.current
	s.openAudit(registry, log)
	ring, err := s.newRing(log)
	if err != nil {
		return nil, err
	}
	certificates, err := s.newCertificates(ring, log)
	if err != nil {
		return nil, err
	}
	metrics := handlers.NewMetrics(registry)
	return &handlers.API{
		Clients:      clients.find,
		Usage:        s.usage(registry, metrics.Durations, log),
		OnRetired:    s.clients.NoteUse,
		Tokens:       s.tokens,
		Checks:       []handlers.Check{{Name: "database", Ping: s.clients.Ping, Spared: clients.usable}, {Name: "redis", Ping: s.tokens.Ping}},
		Issuer:       s.config.Issuer,
		TokenTTL:     s.config.TokenTTL.Duration,
		Timeout:      s.config.RequestTimeout.Duration,
		Now:          time.Now,
		Log:          log,
		Metrics:      metrics,
		Failures:     s.failures(),
		Assertions:   s.newAssertions(ring),
		Proofs:       s.newProofs(),
		Certificates: certificates,
		AuthMethods:  s.config.authMethods(),
		MTLSBase:     s.config.mtlsBase(),
		Proxies:      s.config.TrustedProxies.prefixes,
		Tracer:       s.tracer,
		Gates:        handlers.NewGates(s.config.maxConcurrent(), s.config.RequestTimeout.Duration/2, registry),
		Subscribe:    clients.subscribe,
		Current:      clients.current,
		Audit:        s.audit.Note,
	}, nil
}

// usage returns a tracker that records in the database when clients were last seen.
func (s *Server) usage(registry prometheus.Registerer, durations func() usage.Histogram, log *slog.Logger) *usage.Tracker {
	tracker := usage.New(time.Now, s.config.MetricsClients, durations)
	registry.MustRegister(usage.Counters{Tracker: tracker})
	s.background(func(ctx context.Context) { tracker.Run(ctx, s.clients.RecordUses, log) })
	return tracker
}

// background runs task in a goroutine until the server closes.
func (s *Server) background(task func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		task(ctx)
	}()
	s.closers = append(s.closers, func() error {
		stop()
		<-ended
		return nil
	})
}

// Failed delivers the error of a listener that has failed.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop stops the server. During delay it serves on and reports that it is not ready. Then it stops
// listening and waits for requests in progress until ctx ends.
func (s *Server) Stop(ctx context.Context, delay time.Duration) error {
	began := time.Now()
	s.api.Drain()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	s.hub.Close()
	var draining sync.WaitGroup
	for _, l := range s.public {
		draining.Go(func() { l.drain(ctx, began) })
	}
	draining.Wait()
	var errs []error
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("requests were still in flight at the deadline: %w", err))
		}
	}
	return errors.Join(append(errs, s.close())...)
}

func (s *Server) close() error {
	var errs []error
	for _, server := range s.servers {
		server.Close()
	}
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}
