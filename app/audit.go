package app

import (
	"context"
	"log/slog"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"chit/audit"
)

// Auditing are the settings of the audit trail beside the log.
type Auditing struct {
	AuditRedis int `name:"audit-redis" env:"CHIT_AUDIT_REDIS" default:"0" placeholder:"N" help:"How many events of each kind of the audit trail are kept in Redis for the console of every node; 0: none (default ${default})."`
}

// maxAuditRedis limits the memory that the events take in Redis, to about half a gigabyte.
const maxAuditRedis = 100_000

// Check returns a fault if the number is wrong.
func (a *Auditing) Check() error {
	if a.AuditRedis < 0 || a.AuditRedis > maxAuditRedis {
		return Fault("CHIT_AUDIT_REDIS", "%d is not a number from 0 to %d", a.AuditRedis, maxAuditRedis)
	}
	return nil
}

// openAudit begins to keep events of the audit trail.
func (s *Server) openAudit(registry prometheus.Registerer, log *slog.Logger) {
	var send func(audit.Event)
	if s.config.AuditRedis > 0 {
		s.shared = audit.NewShared(s.redis, s.config.AuditRedis)
		registry.MustRegister(counter("chit_audit_events_dropped_total", "Events of the audit trail that are in the log, but could not be kept in Redis.", func() float64 { return float64(s.shared.Dropped()) }))
		s.background(func(ctx context.Context) { s.shared.Run(ctx, log) })
		send = s.shared.Send
	}
	s.audit = audit.New(NodeName(), send)
}

// trail writes a line of the audit trail to the log and keeps its event.
func (s *Server) trail(log *slog.Logger) func(context.Context, slog.Record) {
	return func(ctx context.Context, record slog.Record) {
		_ = log.Handler().Handle(ctx, record) // the log counts the lines that it loses
		s.audit.Note(audit.FromRecord(record))
	}
}

// NodeName returns the name of this machine or container.
func NodeName() string {
	name, err := os.Hostname()
	if err != nil {
		name = "process " + strconv.Itoa(os.Getpid())
	}
	return name
}
