package sidecar

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chit/guard"
)

// readyTimeout is how long /readyz waits for the authorization server.
const readyTimeout = 2 * time.Second

// Ops returns the handler of the ops listener.
func (s *Sidecar) Ops() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		state(w, http.StatusOK, "ok", nil)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := s.guard.Ready(ctx); err != nil {
			state(w, http.StatusServiceUnavailable, "not ready", err)
			return
		}
		state(w, http.StatusOK, "ready", nil)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

// state answers with a status in JSON.
func state(w http.ResponseWriter, code int, status string, cause error) {
	body := map[string]string{"status": status}
	if cause != nil {
		body["cause"] = cause.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// metrics are the metrics of a Sidecar.
type metrics struct {
	refusals       *prometheus.CounterVec
	upstreamErrors prometheus.Counter
}

func newMetrics(registry *prometheus.Registry, g *guard.Guard) *metrics {
	m := &metrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chit_guard_refusals_total",
			Help: "Requests that were refused, by status.",
		}, []string{"status"}),
		upstreamErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "chit_guard_upstream_errors_total",
			Help: "Requests that the upstream did not answer.",
		}),
	}
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
		m.refusals.WithLabelValues(statusLabel(status))
	}
	registry.MustRegister(m.refusals, m.upstreamErrors,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("chit_guard_hearing", "1 while the authorization server says which tokens end, 0 while each token is introspected.", func() float64 {
			if g.Stats().Hearing {
				return 1
			}
			return 0
		}),
		gauge("chit_guard_active_tokens", "Active tokens in memory.", func() float64 { return float64(g.Stats().Active) }),
		gauge("chit_guard_inactive_tokens", "Inactive tokens in memory.", func() float64 { return float64(g.Stats().Inactive) }),
		counter("chit_guard_hits_total", "Checks that were answered from memory.", func() float64 { return float64(g.Stats().Hits) }),
		counter("chit_guard_introspections_total", "Requests to the introspection endpoint.", func() float64 { return float64(g.Stats().Introspections) }),
		counter("chit_guard_introspection_failures_total", "Requests to the introspection endpoint that have failed.", func() float64 { return float64(g.Stats().Failures) }),
	)
	return m
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}

func counter(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
}

func statusLabel(status int) string { return strconv.Itoa(status) }
