package app

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/admin"
	"chit/console"
	"chit/handlers"
)

// newConsole returns the admin API of the ops listener. It recognises operators by the tokens that the
// public listener issues.
func (s *Server) newConsole(log *slog.Logger) *console.API {
	work := admin.NewWork(log)
	s.closers = append(s.closers, work.Close)
	settle := admin.Settled
	if s.config.Embedded() {
		settle = admin.SettledEmbedded
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chit_admin_requests_total",
		Help: "Requests to the admin API, by route and status.",
	}, []string{"route", "status"})
	s.registry.MustRegister(requests, gauge("chit_revocations_in_progress", "Revocations of many tokens whose keys are being deleted in the background. The tokens are inactive.", func() float64 { return float64(work.InProgress()) }))
	return &console.API{
		Actions: admin.Actions{
			Clients: s.clients,
			Tokens:  s.tokens,
			Prefix:  s.config.TokenPrefix,
			Settle:  settle,
		},
		Work:        work,
		Usage:       s.api.Usage,
		ActiveToken: s.api.ActiveToken,
		Tracer:      s.tracer,
		RequestID:   handlers.RequestID,
		Now:         time.Now,
		Log:         log,
		Answered:    func(route string, status int) { requests.WithLabelValues(route, strconv.Itoa(status)).Inc() },
	}
}
