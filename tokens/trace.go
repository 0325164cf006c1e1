package tokens

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"chit/traces"
)

// trace starts the span of a round trip, if one of the calls belongs to a trace. It has no keys and no values.
// The function ends the span.
func (b *batcher) trace(ctx context.Context, calls []*call) (context.Context, func()) {
	requests := make([]trace.Span, len(calls))
	for i, c := range calls {
		requests[i] = c.span
	}
	ctx, span := traces.BeginShared(ctx, b.tracer, "redis batch", requests, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", "redis"), attribute.Int("db.operation.batch.size", len(calls))))
	if span == nil {
		return ctx, func() {}
	}
	return ctx, func() {
		for _, c := range calls {
			if c.err != nil && !errors.Is(c.err, redis.Nil) {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}
