package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"chit/models"
	"chit/traces"
	"chit/usage"
)

// The events of the audit trail. A log line that belongs to it has one of these as "event".
const (
	eventTokenIssued             = "token_issued"
	eventTokenRevoked            = "token_revoked"
	eventAuthenticationRefused   = "authentication_refused"
	eventAuthenticationThrottled = "authentication_throttled"
	eventRetiredSecretUsed       = "retired_secret_used"
)

// exchange is a request in progress, with the values for its log line.
type exchange struct {
	echo.Context
	started   time.Time
	requestID string
	address   string       // result of RealIP
	clientID  string       // only of a client that exists
	shown     *credentials // with which the client has authenticated; for a stream that checks them again
	jti       string
	reason    string        // why a token is inactive
	result    string        // of an introspection: active, or the reason
	event     string        // set if the line belongs to the audit trail
	retired   bool          // the client has used a retired secret
	oauth     bool          // it is for an OAuth endpoint
	use       *usage.Client // of the client that has authenticated
	streamed  bool          // the answer was a stream, which lasts as long as the client likes
	cause     error         // what went wrong, if the answer is not an error
	span      trace.Span    // nil: there are no traces
	gate      *Gate         // where the request has a place; nil: it has none

	draining *atomic.Bool // that of the API
}

var exchanges = sync.Pool{New: func() any { return &exchange{} }}

// Header values that every answer shares, which saves an allocation for each. They must not be changed.
var (
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
)

// observed wraps every request. It sets common headers, answers errors, and updates the metrics and the
// log.
func (a *API) observed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		x := exchanges.Get().(*exchange)
		defer exchanges.Put(x)
		*x = exchange{Context: c, started: started, requestID: RequestID(c.Request()), draining: &a.draining}
		a.setHeaders(x)
		if a.Tracer != nil {
			r, span := traces.Begin(a.Tracer, x.Request(), method(x.Request()), route(x))
			x.SetRequest(r)
			x.span = span
		}

		err := call(next, x)
		if err != nil {
			p := problemOf(err)
			switch p.status {
			case http.StatusUnauthorized:
				x.event = eventAuthenticationRefused
			case http.StatusTooManyRequests:
				x.event = eventAuthenticationThrottled
			}
			if x.oauth && p.status < http.StatusInternalServerError {
				a.Usage.Refused(x.clientID)
				a.Metrics.refuse(p)
			}
			x.cause = err
			if !x.Response().Committed {
				x.cause = errors.Join(err, p.write(x))
			}
		}
		if x.retired && x.event == "" {
			x.event = eventRetiredSecretUsed
		}
		if x.span != nil {
			traces.End(x.span, x.Response().Status)
		}
		took := time.Since(started)
		a.Metrics.count(x, took)
		a.audit(x)
		a.log(x, took)
		return nil
	}
}

// noteInactive records for the log why a token is inactive. The client is not told.
func (x *exchange) noteInactive(err error) {
	if why, is := errors.AsType[models.Inactive](err); is {
		x.reason = string(why)
	}
}

func (a *API) setHeaders(x *exchange) {
	header := x.Response().Header()
	header["Cache-Control"] = noStore
	header["Pragma"] = noCache
	header["X-Request-Id"] = []string{x.requestID}
	if doubtfulEnd(x.Request()) {
		header["Connection"] = closing
	}
}

// doubtfulEnd reports whether a proxy in front may see the end of the request at another place. net/http
// hides a Content-Length beside chunks, and a Transfer-Encoding in HTTP/1.0. Bytes that follow on the
// connection may be a smuggled request, so the connection is closed (RFC 9112 §6.1).
func doubtfulEnd(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// call runs the endpoint. It turns a panic into an error with a stack for the log. Echo would answer
// OPTIONS by itself; here it is a method that is not allowed.
func call(next echo.HandlerFunc, x *exchange) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if x.Request().Method == http.MethodOptions && allowed(x) != "" {
		return errMethodNotAllowed
	}
	return next(x)
}

// allowed returns the methods of the route, which Echo has stored for a request with another method.
func allowed(c echo.Context) string {
	methods, _ := c.Get(echo.ContextKeyHeaderAllow).(string)
	return strings.TrimPrefix(methods, http.MethodOptions+", ")
}

// log writes the log line of the request. It never contains a token, a secret or a query string.
func (a *API) log(x *exchange, took time.Duration) {
	level := level(x)
	if !a.Log.Enabled(context.Background(), level) {
		return
	}
	attributes := make([]slog.Attr, 0, 12)
	attributes = append(attributes,
		slog.String("request_id", x.requestID),
		slog.String("method", method(x.Request())),
		slog.String("route", route(x)),
		slog.Int("status", x.Response().Status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("remote", x.RealIP()),
	)
	if x.retired {
		attributes = append(attributes, slog.Bool("retired_secret", true))
	}
	for _, optional := range [...]struct{ name, value string }{
		{"event", x.event}, {"client_id", x.clientID}, {"jti", x.jti}, {"reason", x.reason}, {"trace_id", traces.ID(x.span)},
	} {
		if optional.value != "" {
			attributes = append(attributes, slog.String(optional.name, optional.value))
		}
	}
	if x.cause != nil {
		attributes = append(attributes, slog.String("cause", x.cause.Error()))
	}
	line := slog.NewRecord(time.Now(), level, "request", 0) // not by a method of Log, which would look up the caller
	line.AddAttrs(attributes...)
	_ = a.Log.Handler().Handle(context.Background(), line)
}

func level(x *exchange) slog.Level {
	status := x.Response().Status
	switch {
	case errors.Is(x.cause, context.Canceled):
		return slog.LevelInfo // the client went away
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case x.event == eventAuthenticationRefused:
		return slog.LevelWarn
	case status == http.StatusOK && (x.Path() == "/healthz" || x.Path() == "/readyz"):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// route returns the path of the matched route. A path that matches no route is not repeated in the log.
func route(c echo.Context) string {
	if path := c.Path(); path != "" {
		return path
	}
	return "unmatched"
}

// method returns the request's method. A method that HTTP does not define is not repeated in the log.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "other"
}

// RequestID returns the X-Request-Id of the request if it is safe for the log, or a new id.
func RequestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return strconv.FormatUint(rand.Uint64(), 36) // only tells requests apart, so it need not be secret
	}
	return id
}
