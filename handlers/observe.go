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

	"chit/models"
)

// The events of the audit trail. Lines of the log that belong to it have one of these as "event".
const (
	eventTokenIssued             = "token_issued"
	eventTokenRevoked            = "token_revoked"
	eventAuthenticationRefused   = "authentication_refused"
	eventAuthenticationThrottled = "authentication_throttled"
	eventRetiredSecretUsed       = "retired_secret_used"
)

// exchange is a request on its way, and what its log line will say of it.
type exchange struct {
	echo.Context
	requestID string
	address   string // RealIP's
	clientID  string // of a client that exists
	jti       string
	reason    string // why a token is inactive
	event     string // makes the line one of the audit trail
	retired   bool   // the client was opened by a retired secret
	cause     error  // what went wrong, for an answer that is not an error's
	gate      *Gate  // where it has a place; nil: nowhere

	draining *atomic.Bool // API's
}

var exchanges = sync.Pool{New: func() any { return &exchange{} }}

// Values of headers that every answer shares, which spares each an allocation. Nobody may change
// them.
var (
	noStore = []string{"no-store"}
	noCache = []string{"no-cache"}
)

// observed wraps every request: common headers, the answer to an error, metrics, and one line in
// the log.
func (a *API) observed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		x := exchanges.Get().(*exchange)
		defer exchanges.Put(x)
		*x = exchange{Context: c, requestID: requestID(c.Request()), draining: &a.draining}
		a.setHeaders(x)

		err := call(next, x)
		if err != nil {
			p := problemOf(err)
			switch p.status {
			case http.StatusUnauthorized:
				x.event = eventAuthenticationRefused
			case http.StatusTooManyRequests:
				x.event = eventAuthenticationThrottled
			}
			x.cause = err
			if !x.Response().Committed {
				x.cause = errors.Join(err, p.write(x))
			}
		}
		if x.retired && x.event == "" {
			x.event = eventRetiredSecretUsed
		}
		took := time.Since(started)
		a.Metrics.count(x, took)
		a.log(x, took)
		return nil
	}
}

// noteInactive notes for the log why a token is inactive. The client is not told.
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

// doubtfulEnd reports whether a proxy in front may see another end of the request than this server
// does: net/http hides a Content-Length beside chunks, and a Transfer-Encoding in HTTP/1.0. What
// follows on the connection may then be smuggled, and is not read (RFC 9112 §6.1).
func doubtfulEnd(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// call runs the endpoint. A panic becomes an error, with its stack for the log. Echo answers
// OPTIONS by itself; here it is a method like any other that an endpoint does not have.
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

// allowed returns the methods of the route, as Echo found them for a request of another method.
func allowed(c echo.Context) string {
	methods, _ := c.Get(echo.ContextKeyHeaderAllow).(string)
	return strings.TrimPrefix(methods, http.MethodOptions+", ")
}

// log writes the request's line: never a token, a secret or a query string.
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
		{"event", x.event}, {"client_id", x.clientID}, {"jti", x.jti}, {"reason", x.reason},
	} {
		if optional.value != "" {
			attributes = append(attributes, slog.String(optional.name, optional.value))
		}
	}
	if x.cause != nil {
		attributes = append(attributes, slog.String("cause", x.cause.Error()))
	}
	line := slog.NewRecord(time.Now(), level, "request", 0) // not by Log's methods, which ask who called
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

// route returns the path that the request matched. What a stranger made up is not repeated.
func route(c echo.Context) string {
	if path := c.Path(); path != "" {
		return path
	}
	return "unmatched"
}

// method returns the request's method, likewise.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "other"
}

// requestID returns the id that a proxy in front has given the request, if it is fit for a log, or
// a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return strconv.FormatUint(rand.Uint64(), 36) // to tell requests apart, not to keep a secret
	}
	return id
}
