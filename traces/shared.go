package traces

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Recorded returns the span of a context, or nil if it is not recorded.
func Recorded(ctx context.Context) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	return nil
}

// BeginShared starts the span of work that serves several requests at once. It is a child of the first of
// their spans, and linked with the others in both directions. Spans that are nil belong to requests that are
// not traced. If all of them are nil, nothing starts and the span is nil.
func BeginShared(ctx context.Context, tracer trace.Tracer, name string, requests []trace.Span, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	var first trace.Span
	var others []trace.Span
	var links []trace.Link
	for _, request := range requests {
		switch {
		case request == nil:
		case first == nil:
			first = request
		case request != first:
			others = append(others, request)
			links = append(links, trace.Link{SpanContext: request.SpanContext()})
		}
	}
	if first == nil {
		return ctx, nil
	}
	ctx, span := tracer.Start(trace.ContextWithSpanContext(ctx, first.SpanContext()), name, append(options, trace.WithLinks(links...))...)
	for _, other := range others {
		other.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return ctx, span
}
