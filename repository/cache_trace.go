package repository

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// trace starts the span of a query for several loads, if one of them was begun by a traced request. It is a
// child of the span of the first of these requests, and linked with the others. The function ends the span.
func (c *Cache) trace(ctx context.Context, flights []*flight) (context.Context, func()) {
	if c.options.Tracer == nil {
		return ctx, func() {}
	}
	var parent trace.Span
	var links []trace.Link
	for _, f := range flights {
		switch {
		case f.span == nil:
		case parent == nil:
			parent = f.span
		default:
			links = append(links, trace.Link{SpanContext: f.span.SpanContext()})
		}
	}
	if parent == nil {
		return ctx, func() {}
	}
	ctx, span := c.options.Tracer.Start(trace.ContextWithSpanContext(ctx, parent.SpanContext()), "load clients",
		trace.WithLinks(links...), trace.WithAttributes(attribute.Int("chit.clients", len(flights))))
	for _, f := range flights {
		if f.span != nil && f.span != parent {
			f.span.AddLink(trace.Link{SpanContext: span.SpanContext()})
		}
	}
	return ctx, func() { span.End() }
}
