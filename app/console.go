package app

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/admin"
	"chit/console"
	"chit/console/pages"
	"chit/handlers"
)

// newConsole returns the pages and the admin API of the ops listener. They recognise operators by the tokens that
// this server issues.
func (s *Server) newConsole(log *slog.Logger) (*pages.Pages, *console.API) {
	work := admin.NewWork(log)
	s.closers = append(s.closers, work.Close)
	s.registry.MustRegister(gauge("chit_revocations_in_progress", "Revocations of many tokens whose keys are being deleted in the background. The tokens are inactive.", func() float64 { return float64(work.InProgress()) }))
	actions := admin.Actions{Clients: s.clients, Tokens: s.tokens, Prefix: s.config.TokenPrefix, Settle: admin.Settled}
	if s.config.Embedded() {
		actions.Settle = admin.SettledEmbedded
	}
	api := &console.API{
		Actions:     actions,
		Work:        work,
		Usage:       s.api.Usage,
		ActiveToken: s.api.ActiveToken,
		Tracer:      s.tracer,
		RequestID:   handlers.RequestID,
		Now:         time.Now,
		Log:         log,
		Trail:       s.trail(log),
		Answered:    s.answered("chit_admin_requests_total", "Requests to the admin API, by route and status."),
	}
	return &pages.Pages{
		Actions:     actions,
		Work:        work,
		Usage:       s.api.Usage,
		Audit:       s.audit,
		Shared:      s.shared,
		Checks:      s.checks(),
		Login:       s.api.Login(console.ScopeAdmin, console.ScopeRead),
		LoginPath:   handlers.LoginPath,
		ActiveToken: s.api.ActiveToken,
		RequestID:   handlers.RequestID,
		Issuer:      s.config.Issuer,
		TokenTTL:    s.config.TokenTTL.Duration,
		Version:     Version(),
		Node:        NodeName(),
		Tracer:      s.tracer,
		Now:         time.Now,
		Log:         log,
		Trail:       s.trail(log),
		Answered:    s.answered("chit_console_requests_total", "Requests to the pages of the console, by route and status."),
	}, api
}

// answered registers a counter of requests and returns the function that counts.
func (s *Server) answered(name, help string) func(route string, status int) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"route", "status"})
	s.registry.MustRegister(requests)
	return func(route string, status int) { requests.WithLabelValues(route, strconv.Itoa(status)).Inc() }
}
