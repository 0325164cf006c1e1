// Package traces describes requests to OpenTelemetry. It is off unless the environment names a receiver.
package traces

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name of the instrumentation.
const scope = "chit"

// Export is a Tracer whose spans go to a receiver by OTLP over HTTP.
type Export struct {
	trace.Tracer
	provider *sdk.TracerProvider
}

// wanted reports whether the environment names a receiver.
func wanted() bool {
	named := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	return named && os.Getenv("OTEL_SDK_DISABLED") != "true"
}

// Check returns a fault if the environment asks for a protocol that is not supported.
func Check() error {
	if !wanted() {
		return nil
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := os.Getenv(variable); protocol != "" && protocol != "http/protobuf" {
			return fmt.Errorf("%s: %q is not supported: write http/protobuf, and the port of the receiver for it, usually 4318", variable, protocol)
		}
	}
	return nil
}

// FromEnvironment returns the Export that the standard variables of OpenTelemetry describe, such as
// OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_SAMPLER. It returns nil if there is no endpoint. version is that
// of the service. The receiver need not answer yet.
func FromEnvironment(ctx context.Context, version string) (*Export, error) {
	if !wanted() {
		return nil, nil
	}
	service, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "chit"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
	)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(service), sdk.WithBatcher(exporter))
	return &Export{provider.Tracer(scope, trace.WithInstrumentationVersion(version)), provider}, nil
}

// Close sends the spans that are left, until ctx ends.
func (e *Export) Close(ctx context.Context) error {
	if err := e.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}

// Begin starts the span of a request, as a child of the span that the caller names (W3C Trace Context). name
// is the route. It returns the request with the span in its context.
func Begin(tracer trace.Tracer, r *http.Request, method, name string) (*http.Request, trace.Span) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := tracer.Start(ctx, method+" "+name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", name)))
	return r.WithContext(ctx), span
}

// End ends the span of a request with the status of its answer.
func End(span trace.Span, status int) {
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// ID returns the trace id of a span for the log, or an empty text without a span.
func ID(span trace.Span) string {
	if span == nil || !span.SpanContext().IsValid() {
		return ""
	}
	return span.SpanContext().TraceID().String()
}
