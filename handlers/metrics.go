package handlers

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests and their results. The labels are routes, statuses and events. Their number is
// fixed and does not depend on requests.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec

	mu     sync.RWMutex
	series map[outcome]*series
}

// outcome is the result of a request.
type outcome struct {
	route  string
	status int
}

// series are the metrics of one outcome. They are looked up once, because a lookup by labels takes longer
// than the rest of a request's bookkeeping.
type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// NewMetrics returns metrics that are registered with registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		series: map[outcome]*series{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chit_http_requests_total",
			Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "chit_http_request_duration_seconds",
			Help:    "Time from a request's headers to its answer, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 15), // 0.1 ms to 1.6 s
		}, []string{"route"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chit_events_total",
			Help: "Events of the audit trail: token_issued, token_revoked, authentication_refused, authentication_throttled, retired_secret_used.",
		}, []string{"event"}),
	}
	for _, event := range []string{eventTokenIssued, eventTokenRevoked, eventAuthenticationRefused, eventAuthenticationThrottled, eventRetiredSecretUsed} {
		m.events.WithLabelValues(event)
	}
	registry.MustRegister(m.requests, m.duration, m.events)
	return m
}

func (m *Metrics) count(x *exchange, took time.Duration) {
	s := m.of(outcome{route(x), x.Response().Status})
	s.requests.Inc()
	if !x.streamed {
		s.duration.Observe(took.Seconds())
	}
	if x.event != "" {
		m.events.WithLabelValues(x.event).Inc()
	}
	if x.retired && x.event != eventRetiredSecretUsed {
		m.events.WithLabelValues(eventRetiredSecretUsed).Inc()
	}
}

func (m *Metrics) of(o outcome) *series {
	m.mu.RLock()
	s := m.series[o]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	s = &series{
		requests: m.requests.WithLabelValues(o.route, strconv.Itoa(o.status)),
		duration: m.duration.WithLabelValues(o.route),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[o] = s
	return s
}
