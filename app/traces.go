package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"

	"chit/traces"
)

const (
	// traceTimeout is how long the end of the server waits for the receiver of its last spans.
	traceTimeout = 2 * time.Second
	// traceWarnings is how often it is logged that spans cannot be sent.
	traceWarnings = time.Minute
)

// openTraces starts the export of traces, if the environment names a receiver.
func (s *Server) openTraces(ctx context.Context, log *slog.Logger) error {
	export, err := traces.FromEnvironment(ctx, Version())
	if err != nil || export == nil {
		return err
	}
	s.tracer = export
	s.closers = append(s.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
		defer cancel()
		return export.Close(ctx)
	})
	otel.SetErrorHandler(traceErrors(log)) // OpenTelemetry has no other way to report that spans cannot be sent
	return nil
}

// traceErrors logs the errors of OpenTelemetry, but not all of them if there are many.
func traceErrors(log *slog.Logger) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		now := time.Now().UnixNano()
		if before := last.Load(); now-before >= int64(traceWarnings) && last.CompareAndSwap(before, now) {
			log.Warn("traces cannot be sent", "cause", err.Error())
		}
	}
}
