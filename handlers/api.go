// Package handlers serves OAuth 2.0 over HTTP: the token, introspection and revocation endpoints, the
// server's metadata and its health.
//
// Endpoints write successful answers and return errors. The function observed turns an error into an
// answer, and logs one line for each request.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"chit/assertions"
	"chit/audit"
	"chit/certificates"
	"chit/dpop"
	"chit/invalidations"
	"chit/models"
	"chit/usage"
)

// Clients finds clients. Find returns a client as it was at most a second ago, and FindSince as it was at
// the time since or later. Both return models.ErrClientNotFound for an unknown id, and an error that wraps
// models.ErrUnavailable if the database does not answer. Knows reports whether there may be such a client,
// without asking the database. It is only a hint.
type Clients interface {
	Find(ctx context.Context, id string) (*models.Client, error)
	FindSince(ctx context.Context, id string, since time.Time) (*models.Client, error)
	Knows(id string) bool
}

// Tokens stores access tokens. Find returns models.ErrTokenNotFound if the token is not stored, together
// with the token's ID if the text has the form of a token. All methods return an error that wraps
// models.ErrUnavailable if the storage does not answer or has not acknowledged a write.
type Tokens interface {
	Issue(ctx context.Context, grant models.Grant) (token string, issued models.AccessToken, err error)
	Find(ctx context.Context, token string) (models.AccessToken, error)
	Revoke(ctx context.Context, token models.AccessToken) error
	// Settle waits until earlier writes have as many acknowledgements as a new write needs.
	Settle(ctx context.Context) error
}

// Check is a dependency that /readyz asks.
type Check struct {
	Name string
	Ping func(context.Context) error
	// Spared reports whether the server can work without the dependency for now; nil: it cannot.
	Spared func() bool
}

// API is what the public listener serves. All fields except Proxies, Tracer and Audit must be set.
type API struct {
	Clients  Clients
	Tokens   Tokens
	Failures Failures
	// Assertions authenticates clients that sign assertions, or that other issuers vouch for.
	Assertions *assertions.Verifier
	// Certificates authenticates clients that show a certificate.
	Certificates *certificates.Verifier
	// Proofs checks what tokens are bound to.
	Proofs      *dpop.Verifier
	AuthMethods []models.AuthMethod // for the metadata
	// MTLSBase is the URL at which clients are asked for certificates; empty: that is
	// not another one than Issuer.
	MTLSBase  string
	Proxies   []netip.Prefix // X-Forwarded-For is read from these only
	Checks    []Check
	Usage     *usage.Tracker
	OnRetired func(models.RetiredSecret) // called for each use of a retired secret; must not block
	Issuer    string                     // URL, the iss of introspection and of the metadata
	TokenTTL  time.Duration              // lifetime of tokens whose client has none of its own
	Timeout   time.Duration              // for a request, from the end of its body; half of it for a readiness check
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   *Metrics
	Tracer    trace.Tracer // nil: there are no traces
	Gates     Gates        // limits in front of the POST endpoints
	// Audit is called with each event of the audit trail except issued tokens, and must not block; nil: it is not
	// called.
	Audit func(audit.Event)
	// Subscribe returns a receiver of invalidations for the client with this id. It waits until the node
	// hears of every change. Its errors wrap models.ErrUnavailable.
	Subscribe func(ctx context.Context, clientID string) (*invalidations.Receiver, error)
	// Current reports whether answers are based on clients that are at most a second old.
	Current func() bool

	draining  atomic.Bool
	deadlines deadlines
}

// Drain makes the API report that it is not ready, and close each connection with its next answer. The API
// goes on serving.
func (a *API) Drain() { a.draining.Store(true) }

// Handler returns the routes.
func (a *API) Handler() http.Handler {
	e := echo.New()
	e.IPExtractor = addresses(a.Proxies)
	e.Use(a.observed)
	for _, base := range []string{"", "/oauth2"} {
		e.POST(base+"/token", a.authenticated(a.token))
		e.POST(base+"/introspect", a.authenticated(a.introspect))
		e.POST(base+"/revoke", a.authenticated(a.revoke))
		e.GET(base+"/invalidations", a.authenticated(a.invalidations))
		e.POST(base+"/invalidations", a.authenticated(a.invalidations))
	}
	for path, handler := range map[string]echo.HandlerFunc{
		metadataPath:                        a.describe,
		metadataPath + issuerPath(a.Issuer): a.describe,
		"/healthz":                          a.alive,
		"/readyz":                           a.ready,
	} {
		e.GET(path, handler)
		e.HEAD(path, handler)
	}
	return e
}
