// Package pages serves the console: pages for operators on the ops listener. They are rendered on the server and
// work without scripts, except for figures that change while they are looked at. The pages have no rules of their
// own: what operators do is in the package admin.
//
// Endpoints write successful answers and return errors. The function answer turns an error into a page.
package pages

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"chit/admin"
	"chit/audit"
	"chit/console"
	"chit/models"
	"chit/usage"
)

const (
	requestTimeout = 10 * time.Second // of a request; deleting a client takes more than a second
	maxBody        = 64 << 10         // bytes
)

// Pages are the pages of the console. All fields except Shared and Tracer must be set.
type Pages struct {
	Actions admin.Actions // without Operator, Trail and Versions
	Work    *admin.Work
	Usage   *usage.Tracker
	Audit   *audit.Trail
	Shared  *audit.Shared // events of all nodes; nil: they are not kept
	Checks  []Check
	// Login is the login of the OAuth endpoints (see handlers.API.Login), and LoginPath its path.
	Login     http.Handler
	LoginPath string
	// ActiveToken returns a token that is in force. Its errors are models.ErrTokenNotFound, or wrap
	// models.ErrUnavailable.
	ActiveToken func(ctx context.Context, bearer string) (models.AccessToken, error)
	RequestID   func(*http.Request) string // for the log and the answer
	Issuer      string                     // URL, for the example that uses a new secret
	TokenTTL    time.Duration              // lifetime of tokens whose client has none of its own
	Version     string                     // of the program
	Node        string                     // host name
	Tracer      trace.Tracer               // nil: there are no traces
	Now         func() time.Time
	Log         *slog.Logger
	Trail       func(context.Context, slog.Record) // writes a line of the audit trail
	// Answered is called after each request. route is a method and a path, or "unmatched".
	Answered func(route string, status int)

	checks  checked
	streams streams
}

// visit is a request in progress.
type visit struct {
	*Pages
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	route     string
	operator  models.AccessToken // of the session; zero: nobody has logged in
	mayChange bool               // the operator may change something, and not only look
	seed      string             // from which the tokens of forms are made
	status    int                // of the answer
	span      trace.Span         // nil: there are no traces
}

// who may visit a page.
type who int

const (
	changers who = iota // operators who may change something
	readers             // all operators
	anybody
)

// Handler returns the routes.
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, page := range []struct {
		pattern string
		who     who
		serve   func(*visit) error
	}{
		{"GET /{$}", readers, (*visit).overview},
		{"GET /live", readers, (*visit).live},
		{"GET /login", anybody, (*visit).askLogin},
		{loginRoute, anybody, (*visit).login},
		{"POST /logout", readers, (*visit).logout},
		{"GET /clients", readers, (*visit).clients},
		{"GET /clients/new", changers, (*visit).newClient},
		{"POST /clients/new", changers, (*visit).register},
		{"GET /client", readers, (*visit).client},
		{"GET /client/edit", changers, (*visit).editClient},
		{"POST /client/edit", changers, (*visit).changeClient},
		{"GET /client/rotate", changers, (*visit).askRotate},
		{"POST /client/rotate", changers, (*visit).rotate},
		{"GET /client/disable", changers, (*visit).askDisable},
		{"POST /client/disable", changers, (*visit).disable},
		{"POST /client/enable", changers, (*visit).enable},
		{"GET /client/delete", changers, (*visit).askDelete},
		{"POST /client/delete", changers, (*visit).deleteClient},
		{"GET /client/tokens", readers, (*visit).tokensOfClient},
		{"GET /client/revoke", changers, (*visit).askRevokeTokens},
		{"POST /client/revoke", changers, (*visit).revokeTokens},
		{"GET /tokens", readers, (*visit).tokens},
		{"POST /tokens", readers, (*visit).lookUp},
		{"GET /tokens/revoke", changers, (*visit).askRevokeAll},
		{"POST /tokens/revoke", changers, (*visit).revokeAll},
		{"GET /tokens/one", readers, (*visit).token},
		{"GET /tokens/one/revoke", changers, (*visit).askRevokeToken},
		{"POST /tokens/one/revoke", changers, (*visit).revokeToken},
		{"GET /audit", readers, (*visit).audit},
		{assetRoute, anybody, (*visit).asset},
		{"/", anybody, func(*visit) error { return errNoPage }},
	} {
		mux.HandleFunc(page.pattern, func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, page.pattern, page.who, page.serve) })
	}
	return mux
}

// serve answers a request to a page.
func (p *Pages) serve(w http.ResponseWriter, r *http.Request, pattern string, who who, serve func(*visit) error) {
	began := p.Now()
	v := &visit{Pages: p, w: w, r: r, requestID: p.RequestID(r), route: pattern, status: http.StatusOK}
	if pattern == "/" {
		v.route = unmatched
	}
	v.begin()
	if pattern != "GET /live" {
		ctx, cancel := context.WithTimeout(v.r.Context(), requestTimeout)
		defer cancel()
		v.r = v.r.WithContext(ctx)
	}
	err := v.admitted(who, serve)
	if err != nil {
		v.answer(err)
	}
	v.end(err, p.Now().Sub(began))
}

// admitted calls serve if the request comes from a page of the console and from who may visit the page.
func (v *visit) admitted(who who, serve func(*visit) error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if err := v.identify(who); err != nil {
		return err
	}
	if v.r.Method == http.MethodPost {
		if err := v.checkForm(); err != nil {
			return err
		}
	}
	return serve(v)
}

func (v *visit) context() context.Context { return v.r.Context() }

// actions returns the actions of this operator. A version limits them to this version of a client; empty: any.
func (v *visit) actions(version string) admin.Actions {
	actions := v.Actions
	actions.Trail = v.Trail
	actions.Operator = console.Operator(v.operator, v.requestID, v.r.RemoteAddr)
	if version != "" {
		actions.Versions = []string{version}
	}
	return actions
}

// Close ends the streams of live figures. It must be called when the listener shuts down.
func (p *Pages) Close() { p.streams.close() }

// streams are the streams of live figures.
type streams struct {
	mu    sync.Mutex
	open  int
	ended chan struct{} // nil: nobody has asked
	over  bool
}
