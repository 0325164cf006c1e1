package app

import (
	"context"
	"net"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"chit/repository"
	"chit/tokens"
)

// newRegistry returns a registry with the metrics of the process and of the two stores.
func (s *Server) newRegistry() (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewDBStatsCollector(s.clients.DB(), "oauth_client"),
		buildInfo(),
		gauge("chit_retired_secrets_in_use", "Retired secrets that clients have used on this node within the last hour.", func() float64 { return float64(s.clients.RetiredInUse(time.Now())) }),
	)
	registerRedis(registry, s.redis)
	statements := histogram("chit_database_statement_duration_seconds", "Time of a statement in the database, by kind: query, create, update, delete, row or raw.", "kind")
	registry.MustRegister(statements)
	return registry, s.clients.Observe(func(kind string, took time.Duration) { statements.WithLabelValues(kind).Observe(took.Seconds()) }, s.tracer)
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}

func counter(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
}

// histogram returns a histogram of durations from 0.1 ms to 1.6 s.
func histogram(name, help, label string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0001, 2, 15)}, []string{label})
}

// zeroOrOne converts a state to a sample.
func zeroOrOne(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func buildInfo() prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "chit_build_info",
		Help:        "The version of this program and of the Go that built it. The value is always 1.",
		ConstLabels: prometheus.Labels{"version": Version(), "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}

// registerRedis adds the metrics of the connections to Redis and of the round trips on them.
func registerRedis(registry prometheus.Registerer, client redis.UniversalClient) {
	pool := func(read func(*redis.PoolStats) uint32) func() float64 {
		return func() float64 { return float64(read(client.PoolStats())) }
	}
	roundTrips := histogram("chit_redis_round_trip_duration_seconds", "Time from sending to Redis until its reply, by kind: command or pipeline.", "kind")
	client.AddHook(roundTripHook{roundTrips.WithLabelValues("command"), roundTrips.WithLabelValues("pipeline")})
	registry.MustRegister(
		roundTrips,
		gauge("chit_redis_pool_connections", "Connections to Redis.", pool(func(s *redis.PoolStats) uint32 { return s.TotalConns })),
		gauge("chit_redis_pool_idle_connections", "Connections to Redis that are idle.", pool(func(s *redis.PoolStats) uint32 { return s.IdleConns })),
		gauge("chit_redis_pool_waiting", "Round trips that wait for a connection to Redis.", pool(func(s *redis.PoolStats) uint32 { return s.PendingRequests })),
		counter("chit_redis_pool_timeouts_total", "Times that no connection to Redis was free in time.", pool(func(s *redis.PoolStats) uint32 { return s.Timeouts })),
	)
}

// roundTripHook measures the round trips to Redis.
type roundTripHook struct{ command, pipeline prometheus.Observer }

func (h roundTripHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (h roundTripHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		began := time.Now()
		err := next(ctx, command)
		h.command.Observe(time.Since(began).Seconds())
		return err
	}
}

func (h roundTripHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, commands)
		h.pipeline.Observe(time.Since(began).Seconds())
		return err
	}
}

// registerBatches adds the metrics of the batches of requests to Redis.
func registerBatches(registry prometheus.Registerer, store *tokens.Store) {
	sizes := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "chit_redis_batch_size",
		Help:    "Calls of requests that share a round trip to Redis.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 9), // 1 to 256
	})
	store.OnBatch = func(calls int) { sizes.Observe(float64(calls)) }
	registry.MustRegister(sizes, gauge("chit_redis_batch_waiting_calls", "Calls of requests that wait for the next round trip to Redis.", func() float64 { return float64(store.Waiting()) }))
}

// registerCache adds the metrics of the client cache.
func registerCache(registry prometheus.Registerer, cache *repository.Cache) {
	registry.MustRegister(
		gauge("chit_client_cache_size", "Clients in memory.", func() float64 { return float64(cache.Size()) }),
		counter("chit_client_cache_hits_total", "Times that a client was found in memory.", func() float64 { return float64(cache.Hits()) }),
		counter("chit_client_cache_loads_total", "Queries to the database for clients.", func() float64 { return float64(cache.Loads()) }),
		gauge("chit_client_cache_listening", "1 while notifications of client changes arrive, 0 while each client is read again every second.", func() float64 { return zeroOrOne(cache.Hearing()) }),
	)
}

// register adds the expiry of the certificate of a listener.
func (c *certificate) register(registry prometheus.Registerer, listener string) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "chit_tls_certificate_expiry_timestamp_seconds",
		Help:        "When the certificate of a listener expires, as Unix time.",
		ConstLabels: prometheus.Labels{"listener": listener},
	}, func() float64 {
		current, _ := c.forHandshake(nil) // it returns no error
		return float64(current.Leaf.NotAfter.Unix())
	}))
}

// droppedLines is the metric of dropped log lines.
func droppedLines(buffer *lineBuffer) prometheus.Collector {
	return counter("chit_log_lines_dropped_total", "Log lines that were dropped because they could not be written in time.", func() float64 { return float64(buffer.total.Load()) })
}
