// Package console serves operators on the ops listener: the admin API, as JSON. It has no rules of its own.
// What operators do is in the package admin.
//
// Endpoints write successful answers and return errors. The function answer turns an error into an answer.
package console

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"chit/admin"
	"chit/guard"
	"chit/models"
	"chit/traces"
	"chit/usage"
)

// The scopes that let a token in.
const (
	ScopeAdmin = "chit:admin"
	ScopeRead  = "chit:read" // to look at everything and to change nothing
)

// requestTimeout is the time limit of a request. Deleting a client takes more than a second.
const requestTimeout = 10 * time.Second

// API is the admin API. All fields except Tracer must be set.
type API struct {
	Actions admin.Actions // without Operator, Trail and Versions
	Work    *admin.Work
	Usage   *usage.Tracker
	// ActiveToken returns a token that is in force. Its errors are models.ErrTokenNotFound, or wrap
	// models.ErrUnavailable.
	ActiveToken func(ctx context.Context, bearer string) (models.AccessToken, error)
	RequestID   func(*http.Request) string // for the log and the answer
	Tracer      trace.Tracer               // nil: there are no traces
	Now         func() time.Time
	Log         *slog.Logger
	Trail       func(context.Context, slog.Record) // writes a line of the audit trail
	// Answered is called after each request. route is a method and a path of the API, or "unmatched".
	Answered func(route string, status int)
}

// call is a request in progress, of an operator who may make it.
type call struct {
	echo.Context
	api       *API
	query     *query
	operator  models.AccessToken // with which the operator has authenticated
	requestID string
	span      trace.Span // nil: there are no traces
}

// Handler returns the routes, which all begin with /admin/.
func (a *API) Handler() http.Handler {
	e := echo.New()
	e.Use(a.admitted)
	client, token := "/admin/clients/:client_id", "/admin/tokens/:jti"
	for _, route := range []struct {
		method, path string
		endpoint     func(*call) error
		parameters   []string // of the query string
	}{
		{"GET", "/admin/openapi.json", (*call).describe, nil},
		{"GET", "/admin/clients", (*call).listClients, []string{"query", "limit", "after"}},
		{"POST", "/admin/clients", (*call).register, nil},
		{"GET", client, (*call).showClient, nil},
		{"PATCH", client, (*call).change, nil},
		{"DELETE", client, (*call).deleteClient, nil},
		{"POST", client + "/secret", (*call).rotate, nil},
		{"POST", client + "/disable", (*call).disable, nil},
		{"POST", client + "/enable", (*call).enable, nil},
		{"GET", client + "/tokens", (*call).listTokens, []string{"limit", "after"}},
		{"DELETE", client + "/tokens", (*call).revokeTokensOfClient, nil},
		{"GET", token, (*call).showToken, nil},
		{"DELETE", token, (*call).revokeToken, nil},
		{"POST", "/admin/tokens/inspect", (*call).inspect, nil},
		{"POST", "/admin/tokens/revoke", (*call).revoke, nil},
		{"DELETE", "/admin/tokens", (*call).revokeAllTokens, []string{"confirm"}},
		{"GET", "/admin/stats", (*call).stats, nil},
	} {
		e.Add(route.method, route.path, func(c echo.Context) (err error) {
			x := c.(*call)
			if x.query, err = readQuery(x.Request(), route.parameters); err != nil {
				return err
			}
			return route.endpoint(x)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Echo takes the parameters from RawPath, but only if it is set. So all of them are escaped.
		r.URL.RawPath = r.URL.EscapedPath()
		e.ServeHTTP(w, r)
	})
}

// admitted wraps every request. It calls next for an operator who may make the request, and answers errors.
func (a *API) admitted(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := a.Now()
		x := &call{Context: c, api: a, requestID: a.RequestID(c.Request())}
		x.Response().Header().Set("Cache-Control", "no-store")
		x.Response().Header().Set("X-Request-Id", x.requestID)
		_ = http.NewResponseController(x.Response()).SetReadDeadline(time.Now().Add(requestTimeout)) // a writer of a test may have none
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTimeout)
		defer cancel()
		x.SetRequest(c.Request().WithContext(ctx))
		if a.Tracer != nil {
			r, span := traces.Begin(a.Tracer, x.Request(), method(x.Request()), cmp.Or(x.Path(), unmatched))
			x.SetRequest(r)
			x.span = span
		}
		a.answer(x, x.serve(next), began)
		return nil
	}
}

// serve calls next if the request has a token with the scope that its method needs.
func (x *call) serve(next echo.HandlerFunc) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	bearer, refusal := guard.BearerToken(x.Request())
	if refusal != nil {
		return refused{refusal}
	}
	token, err := x.api.ActiveToken(x.context(), bearer)
	if err != nil {
		return inactive(err)
	}
	scopes := models.ParseScopes(token.Scope)
	needed := ScopeAdmin
	if x.Request().Method == http.MethodGet && !slices.Contains(scopes, ScopeAdmin) {
		needed = ScopeRead
	}
	if !slices.Contains(scopes, needed) {
		return lacks(needed)
	}
	x.operator = token
	return next(x)
}

func (x *call) context() context.Context { return x.Request().Context() }

// Operator describes the operator of a request for the audit trail.
func Operator(token models.AccessToken, requestID, remote string) admin.Operator {
	return admin.Operator{Name: token.ClientID, Details: []slog.Attr{
		slog.String("request_id", requestID), slog.String("operator_jti", token.ID), slog.String("remote", remote),
	}}
}

// actions returns the actions of this operator. If the request has If-Match, they are limited to its
// versions of the client (RFC 9110 §13.1.1).
func (x *call) actions() admin.Actions {
	actions := x.api.Actions
	actions.Operator = Operator(x.operator, x.requestID, x.Request().RemoteAddr)
	actions.Trail = x.api.Trail
	if header := strings.Join(x.Request().Header.Values("If-Match"), ","); header != "" && strings.TrimSpace(header) != "*" {
		actions.Versions = versions(header)
	}
	return actions
}

// versions returns the strong entity tags of an If-Match header. Weak ones never match.
func versions(header string) []string {
	found := []string{}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if inner, quoted := strings.CutPrefix(tag, `"`); quoted {
			found = append(found, strings.TrimSuffix(inner, `"`))
		}
	}
	return found
}
