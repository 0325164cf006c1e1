package pages

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"chit/traces"
)

// contentPolicy lets a page load from this server alone. Nothing in a page is executed but the script in a file
// of its own.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// unmatched is the route of a request to no page.
const unmatched = "unmatched"

// begin sets the headers of every answer, and the limits of the request.
func (v *visit) begin() {
	header := v.w.Header()
	for name, value := range map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      contentPolicy,
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
		"Referrer-Policy":              "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"X-Request-Id":                 v.requestID,
	} {
		header.Set(name, value)
	}
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Now().Add(requestTimeout)) // a writer of a test may have none
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxBody)
	if v.Tracer != nil {
		method, path, matched := strings.Cut(v.route, " ")
		if !matched { // methods of strangers are not repeated
			method, path = "other", unmatched
		}
		v.r, v.span = traces.Begin(v.Tracer, v.r, method, path)
	}
}

// end updates the metrics and writes a line of the log, which has no query string and nothing of a form.
func (v *visit) end(err error, took time.Duration) {
	v.Answered(v.route, v.status)
	if v.span != nil {
		traces.End(v.span, v.status)
	}
	level := slog.LevelInfo
	if v.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attributes := []slog.Attr{
		slog.String("request_id", v.requestID), slog.String("route", v.route), slog.Int("status", v.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("remote", v.r.RemoteAddr), slog.String("operator", v.operator.ClientID),
	}
	if id := traces.ID(v.span); id != "" {
		attributes = append(attributes, slog.String("trace_id", id))
	}
	if err != nil {
		attributes = append(attributes, slog.String("cause", err.Error()))
	}
	v.Log.LogAttrs(v.context(), level, "console request", attributes...)
}
