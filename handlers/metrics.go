package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"chit/models"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests and their results. The labels are routes, statuses and events. Their number is
// fixed and does not depend on requests.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	events   *prometheus.CounterVec
	refusals *prometheus.CounterVec
	// introspections are the counters by result.
	introspections map[string]prometheus.Counter

	mu     sync.RWMutex
	series map[outcome]*series
}

// outcome is the result of a request.
type outcome struct {
	route  string
	status int
}

// durationBuckets are seconds, from 0.1 ms to 1.6 s.
var durationBuckets = prometheus.ExponentialBuckets(0.0001, 2, 15)

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
			Buckets: durationBuckets,
		}, []string{"route"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chit_events_total",
			Help: "Events of the audit trail: token_issued, token_revoked, authentication_refused, authentication_throttled, retired_secret_used.",
		}, []string{"event"}),
	}
	m.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chit_refusals_total",
		Help: "Requests to the OAuth endpoints that were refused because of what they contain or because they failed too often, by reason.",
	}, []string{"reason"})
	introspections := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chit_introspections_total",
		Help: "Introspections, by result: active, or why the token is inactive.",
	}, []string{"result"})
	m.introspections = map[string]prometheus.Counter{}
	for _, result := range results {
		m.introspections[result] = introspections.WithLabelValues(result)
	}
	for _, reason := range []string{"unknown client", "wrong secret", "wrong assertion", "wrong certificate", "another method", "client is disabled", "no credentials", "throttled"} {
		m.refusals.WithLabelValues(metricName(reason))
	}
	for _, event := range []string{eventTokenIssued, eventTokenRevoked, eventAuthenticationRefused, eventAuthenticationThrottled, eventRetiredSecretUsed} {
		m.events.WithLabelValues(event)
	}
	registry.MustRegister(m.requests, m.duration, m.events, m.refusals, introspections)
	return m
}

func (m *Metrics) count(x *exchange, took time.Duration) {
	s := m.of(outcome{route(x), x.Response().Status})
	s.requests.Inc()
	if !x.streamed {
		s.duration.Observe(took.Seconds())
	}
	if x.result != "" {
		m.introspections[x.result].Inc()
	}
	if x.event != "" {
		m.events.WithLabelValues(x.event).Inc()
	}
	if x.retired && x.event != eventRetiredSecretUsed {
		m.events.WithLabelValues(eventRetiredSecretUsed).Inc()
	}
}

// active is the result of an introspection of an active token.
const active = "active"

// results are the possible results of an introspection.
var results = []string{
	active, string(models.TokenMalformed), string(models.TokenUnknown), string(models.TokenExpired), string(models.TokenRevoked),
	string(models.TokenOfFormer), string(models.TokenOfDisabled), string(models.TokenOfUnknown), string(models.TokenNotForCaller),
}

// refuse counts a refused request. The reason is the error code of the answer, or more exact than that.
func (m *Metrics) refuse(p *problem) {
	reason := p.code
	why, failed := errors.AsType[models.Refusal](p.cause)
	switch {
	case p.status == http.StatusTooManyRequests:
		reason = "throttled"
	case failed:
		reason = metricName(string(why))
	case p.status == http.StatusUnauthorized:
		reason = "no_credentials"
	}
	m.refusals.WithLabelValues(reason).Inc()
}

func metricName(words string) string { return strings.ReplaceAll(words, " ", "_") }

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
