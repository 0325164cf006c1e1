package app

import (
	"log/slog"
	"time"

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
		settle = 0 // the embedded server asks the database each time
	}
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
		RequestID:   handlers.RequestID,
		Now:         time.Now,
		Log:         log,
	}
}
