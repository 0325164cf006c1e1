package handlers

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests and what came of them. Its labels are routes, statuses and events: there
// are as many as the code has, whatever strangers send.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec
}

// NewMetrics returns metrics that registry collects.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
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
			Help: "Events of the audit trail: token_issued, token_revoked, authentication_refused.",
		}, []string{"event"}),
	}
	for _, event := range []string{eventTokenIssued, eventTokenRevoked, eventAuthenticationRefused} {
		m.events.WithLabelValues(event)
	}
	registry.MustRegister(m.requests, m.duration, m.events)
	return m
}

func (m *Metrics) count(x *exchange, took time.Duration) {
	route := route(x)
	m.requests.WithLabelValues(route, strconv.Itoa(x.Response().Status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
	if x.event != "" {
		m.events.WithLabelValues(x.event).Inc()
	}
}
