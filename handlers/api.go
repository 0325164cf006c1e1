// Package handlers is OAuth 2.0 over HTTP: the token, introspection and revocation endpoints, the
// server's metadata and its health.
//
// Endpoints return errors and write successful answers. One place, observed, turns an error into
// an answer, and each request into one log line.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"chit/models"
)

// Clients finds clients: Find as they were within the last second, FindSince as they were at since
// or later. Both return models.ErrClientNotFound for an unknown id, and an error that wraps
// models.ErrUnavailable when they cannot tell. Knows asks nobody whether there is a client, and may be
// wrong either way.
type Clients interface {
	Find(ctx context.Context, id string) (*models.Client, error)
	FindSince(ctx context.Context, id string, since time.Time) (*models.Client, error)
	Knows(id string) bool
}

// Tokens keeps access tokens. Find returns models.ErrTokenNotFound for a token that is not kept, with the
// token's ID if the text has the form of one;
// all return an error that wraps models.ErrUnavailable when they cannot tell. What has not been
// acknowledged by the storage is an error.
type Tokens interface {
	Issue(ctx context.Context, grant models.Grant) (token string, issued models.AccessToken, err error)
	Find(ctx context.Context, token string) (models.AccessToken, error)
	Revoke(ctx context.Context, token models.AccessToken) error
	// Settle returns when what was written earlier is as safe as what has just been acknowledged.
	Settle(ctx context.Context) error
}

// Check is something that the server needs to be ready.
type Check struct {
	Name string
	Ping func(context.Context) error
	// Spared reports whether the server can do without it at this moment; nil: it never can.
	Spared func() bool
}

// API is what the public listener serves. All fields but Proxies must be set.
type API struct {
	Clients   Clients
	Tokens    Tokens
	Failures  Failures
	Proxies   []netip.Prefix // whose X-Forwarded-For is believed
	Checks    []Check
	OnRetired func(models.RetiredSecret) // told of each use of a retired secret; must not block
	Issuer    string                     // the iss of introspection and metadata, a URL
	TokenTTL  time.Duration              // of tokens whose client has no lifetime of its own
	Timeout   time.Duration              // of a request from the end of its body, and of a check of readiness
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   *Metrics
	Gates     Gates // in front of the POST endpoints

	draining  atomic.Bool
	deadlines deadlines
}

// Drain makes the API report that it is not ready and end each connection with its next answer, also
// where that is under way. It goes on serving.
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
