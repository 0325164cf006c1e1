package console

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"chit/admin"
	"chit/guard"
	"chit/models"
	"chit/traces"
)

// problem is an answer to a fault (RFC 9457).
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []wrong `json:"errors,omitempty"` // the wrong fields
}

// wrong is a wrong field of the body or parameter of the query string.
type wrong struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return p.Detail }

func fault(status int, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// refused is an error that is answered as RFC 6750 says.
type refused struct{ *guard.Refusal }

func (r refused) Error() string { return r.Err.Error() }

func (r refused) Unwrap() error { return r.Err }

// inactive returns the answer to a token that is not in force, or that cannot be checked.
func inactive(err error) error {
	if errors.Is(err, models.ErrTokenNotFound) {
		return refused{&guard.Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Err: err}}
	}
	return err
}

func lacks(scope string) error {
	return refused{&guard.Refusal{Status: http.StatusForbidden, Code: "insufficient_scope", Scope: scope, Err: errors.New("the token does not have the scope " + scope)}}
}

// problems maps errors to answers. An error without an entry is a fault of the server.
var problems = []struct {
	err error
	*problem
}{
	{models.ErrClientNotFound, fault(http.StatusNotFound, "there is no such client")},
	{models.ErrTokenNotFound, fault(http.StatusNotFound, "there is no such token: it has expired, was revoked, or was never issued")},
	{models.ErrClientExists, fault(http.StatusConflict, "there is a client with this client_id already")},
	{models.ErrPublicClient, fault(http.StatusConflict, "the client is public: it has no secret")},
	{models.ErrNoSecret, fault(http.StatusConflict, "the client authenticates without a secret: see its token_endpoint_auth_method")},
	{admin.ErrChanged, fault(http.StatusPreconditionFailed, "the client was changed meanwhile: get it again, and repeat the change with its present ETag")},
	{models.ErrNotPermitted, fault(http.StatusInternalServerError, "the role of the server in the database or in Redis may not do this: give it the privileges of operators")},
	{models.ErrSchema, fault(http.StatusInternalServerError, "the database lacks a migration: run `chit migrate up`")},
	{models.ErrUnavailable, fault(http.StatusServiceUnavailable, "the server cannot reach its storage: a change may have been made or not, so look before you repeat it")},
	{context.DeadlineExceeded, fault(http.StatusServiceUnavailable, "the request took too long: a change may have been made or not, so look before you repeat it")},
	{echo.ErrNotFound, fault(http.StatusNotFound, "there is nothing at this path: see /admin/openapi.json")},
	{echo.ErrMethodNotAllowed, fault(http.StatusMethodNotAllowed, "this method is not supported here: see the Allow header")},
}

// Explain returns the status of the answer to an error, and a sentence for the operator.
func Explain(err error) (status int, detail string) {
	p := problemOf(err)
	return p.Status, p.Detail
}

func problemOf(err error) *problem {
	if p, is := errors.AsType[*problem](err); is {
		return p
	}
	if faults, is := errors.AsType[admin.Invalid](err); is {
		p := fault(http.StatusBadRequest, "some values are wrong, and nothing was changed")
		for _, f := range faults {
			p.Errors = append(p.Errors, wrong(f))
		}
		return p
	}
	if half, is := errors.AsType[admin.NotDeleted](err); is {
		return fault(statusOf(half), "the client is disabled and its tokens are inactive, but it is not deleted: look at it, and delete it again")
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			return row.problem
		}
	}
	return fault(http.StatusInternalServerError, "the server met an unexpected condition")
}

// statusOf returns the status for a client that is not deleted: somebody has changed it meanwhile, or the
// storage has failed.
func statusOf(half admin.NotDeleted) int {
	if errors.Is(half, models.ErrClientNotFound) || errors.Is(half, admin.ErrChanged) {
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}

// answer writes the answer to an error, if there is one, and a line of the log.
func (a *API) answer(x *call, err error, began time.Time) {
	if err != nil && !x.Response().Committed {
		if refusal, is := errors.AsType[refused](err); is {
			refusal.Answer(x.Response(), "chit")
		} else {
			x.write(problemOf(err))
		}
	}
	status, level := x.Response().Status, slog.LevelInfo
	route := route(x)
	a.Answered(route, status)
	if x.span != nil {
		traces.End(x.span, status)
	}
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attributes := []slog.Attr{
		slog.String("request_id", x.requestID), slog.String("route", route),
		slog.Int("status", status), slog.Float64("duration_ms", float64(a.Now().Sub(began).Microseconds())/1000),
		slog.String("remote", x.Request().RemoteAddr), slog.String("operator", x.operator.ClientID),
	}
	if id := traces.ID(x.span); id != "" {
		attributes = append(attributes, slog.String("trace_id", id))
	}
	if err != nil {
		attributes = append(attributes, slog.String("cause", err.Error()))
	}
	a.Log.LogAttrs(x.context(), level, "admin request", attributes...)
}

// route returns the method and the path of the matched route. What matches none is not repeated in the log and
// in the metrics.
func route(x *call) string {
	method := method(x.Request())
	if x.Path() == "" || method == otherMethod || x.Response().Status == http.StatusMethodNotAllowed {
		return unmatched
	}
	return method + " " + x.Path()
}

const (
	unmatched   = "unmatched" // no route of the API
	otherMethod = "other"     // no method of the API
)

// method returns the request's method. A method that the API does not have is not repeated.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return otherMethod
}

func (x *call) write(p *problem) {
	header := x.Response().Header()
	header.Set("Content-Type", "application/problem+json")
	switch p.Status {
	case http.StatusMethodNotAllowed:
		methods, _ := x.Get(echo.ContextKeyHeaderAllow).(string)
		header.Set("Allow", strings.TrimPrefix(methods, http.MethodOptions+", "))
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close") // the rest of the body is not read
	}
	x.Response().WriteHeader(p.Status)
	_ = json.NewEncoder(x.Response()).Encode(p) // the operator may be gone
}
