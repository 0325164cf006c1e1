package repository

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"chit/traces"
)

// trace starts the span of a query for several loads, if one of them was begun by a traced request. The
// function ends the span.
func (c *Cache) trace(ctx context.Context, flights []*flight) (context.Context, func()) {
	if c.options.Tracer == nil {
		return ctx, func() {}
	}
	requests := make([]trace.Span, len(flights))
	for i, f := range flights {
		requests[i] = f.span
	}
	ctx, span := traces.BeginShared(ctx, c.options.Tracer, "load clients", requests, trace.WithAttributes(attribute.Int("chit.clients", len(flights))))
	if span == nil {
		return ctx, func() {}
	}
	return ctx, func() { span.End() }
}
