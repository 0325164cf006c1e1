package app

import (
	"database/sql"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"chit/repository"
)

// opsHandler serves the ops listener. The paths below /admin/ are those of the admin API.
func opsHandler(registry *prometheus.Registry, admin http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/admin/") {
			admin.ServeHTTP(w, r) // without the redirects of the mux: a client may be called ".."
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// newRegistry returns a registry with the metrics of the process and of the connection pools.
func newRegistry(db *sql.DB, client redis.UniversalClient) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		collectors.NewDBStatsCollector(db, "oauth_client"),
		redisPool("chit_redis_pool_connections", "Connections to Redis.", func(s *redis.PoolStats) uint32 { return s.TotalConns }, client),
		redisPool("chit_redis_pool_idle_connections", "Connections to Redis that are idle.", func(s *redis.PoolStats) uint32 { return s.IdleConns }, client),
		redisPool("chit_redis_pool_timeouts", "Times that no connection to Redis was free in time, since the start.", func(s *redis.PoolStats) uint32 { return s.Timeouts }, client),
	)
	return registry
}

// registerCache adds the metrics of the client cache.
func registerCache(registry prometheus.Registerer, cache *repository.Cache) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chit_client_cache_size",
			Help: "Clients in memory.",
		}, func() float64 { return float64(cache.Size()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "chit_client_cache_loads_total",
			Help: "Queries to the database for clients.",
		}, func() float64 { return float64(cache.Loads()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chit_client_cache_listening",
			Help: "1 while notifications of client changes arrive, 0 while each client is read again every second.",
		}, func() float64 {
			if cache.Hearing() {
				return 1
			}
			return 0
		}),
	)
}

// droppedLines is the metric of dropped log lines.
func droppedLines(buffer *lineBuffer) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "chit_log_lines_dropped_total",
		Help: "Log lines that were dropped because they could not be written in time.",
	}, func() float64 { return float64(buffer.total.Load()) })
}

func redisPool(name, help string, read func(*redis.PoolStats) uint32, client redis.UniversalClient) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		return float64(read(client.PoolStats()))
	})
}
