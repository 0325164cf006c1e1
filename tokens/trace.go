package tokens

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// trace starts the span of a round trip, if one of the calls belongs to a trace. It is a child of the span of
// the first of these requests. The spans of all others are linked with it in both directions, because one
// round trip serves many requests. It has no keys and no values. The function ends the span.
func (b *batcher) trace(ctx context.Context, calls []*call) (context.Context, func()) {
	var parent trace.Span
	var links []trace.Link
	for _, c := range calls {
		switch {
		case c.span == nil:
		case parent == nil:
			parent = c.span
		default:
			links = append(links, trace.Link{SpanContext: c.span.SpanContext()})
		}
	}
	if parent == nil {
		return ctx, func() {}
	}
	ctx, span := b.tracer.Start(trace.ContextWithSpanContext(ctx, parent.SpanContext()), "redis batch",
		trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(links...), trace.WithAttributes(
			attribute.String("db.system.name", "redis"), attribute.Int("db.operation.batch.size", len(calls))))
	for _, c := range calls {
		if c.span != nil && c.span != parent {
			c.span.AddLink(trace.Link{SpanContext: span.SpanContext()})
		}
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

// sampledSpan returns the span of a context, or nil if it is not recorded.
func sampledSpan(ctx context.Context) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	return nil
}
