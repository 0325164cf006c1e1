package handlers

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"chit/models"
)

// LoginPath is the path of Login.
const LoginPath = "/login"

// Login returns a handler for the login of operators. It is not on the public listener. It authenticates a client
// like every endpoint, and issues a token with those of the scopes that the client may have. Requests and
// answers are those of the token endpoint, without grant_type and scope. A client that may have none of the
// scopes gets invalid_scope.
func (a *API) Login(scopes ...string) http.Handler {
	e := echo.New()
	e.IPExtractor = addresses(a.Proxies)
	e.Use(a.observed)
	e.POST(LoginPath, a.authenticated(func(ctx context.Context, x *exchange, client *models.Client, _ form) error {
		allowed := models.ParseScopes(client.AllowedScopes)
		lacking := func(scope string) bool { return !slices.Contains(allowed, scope) }
		granted := models.Scopes(slices.DeleteFunc(slices.Clone(scopes), lacking))
		if len(granted) == 0 {
			return models.ErrScopeNotAllowed
		}
		return a.issue(ctx, x, client, models.TokenRequest{Scope: granted.String()}, nil)
	}))
	return e
}
