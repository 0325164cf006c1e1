package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"chit/models"
)

// inactive is the answer for every token that is not active. It gives no reason.
var inactive = []byte(`{"active":false}`)

// stale is the value of X-Chit-Stale. The header says that the answer relies on a client in memory that may
// have changed, because the database is out of reach. A resource server must not keep such an answer.
var stale = []string{"true"}

// introspect is the introspection endpoint (RFC 7662 §2).
func (a *API) introspect(ctx context.Context, x *exchange, caller *models.Client, form form) error {
	if form.get("token") == "" {
		return errTokenMissing
	}
	current := a.Current()
	token, err := a.visibleToken(ctx, caller, form.get("token"))
	x.jti = token.ID
	x.use.Introspected()
	if !current || !a.Current() {
		x.Response().Header()["X-Chit-Stale"] = stale
	}
	if errors.Is(err, models.ErrTokenNotFound) {
		x.noteInactive(err)
		x.result = x.reason
		return write(x, http.StatusOK, inactive)
	}
	if err != nil {
		return err
	}
	x.result = active
	return write(x, http.StatusOK, introspection(token, a.Issuer))
}

// introspection returns the answer for an active token (RFC 7662 §2.2). There is no user, so there is no
// sub and no username.
func introspection(token models.AccessToken, issuer string) []byte {
	body := make([]byte, 0, 512)
	body = appendString(body, `{"active":true,"client_id":`, token.ClientID)
	if token.Scope != "" {
		body = appendString(body, `,"scope":`, token.Scope)
	}
	if token.Audience != "" {
		body = appendValue(body, `,"aud":`, token.Audience)
	}
	if token.Binding != (models.Binding{}) {
		body = appendValue(body, `,"cnf":`, token.Binding)
	}
	body = appendString(body, `,"token_type":`, token.TokenType())
	body = strconv.AppendInt(append(body, `,"iat":`...), token.IssuedAt.Unix(), 10)
	body = strconv.AppendInt(append(body, `,"exp":`...), token.ExpiresAt.Unix(), 10)
	body = appendString(body, `,"iss":`, issuer)
	body = appendString(body, `,"jti":`, token.ID)
	return append(body, '}')
}

// visibleToken returns a token that is in force and that the caller may see. For any other token it returns
// an error that is models.ErrTokenNotFound, and the fields of the token that are known.
func (a *API) visibleToken(ctx context.Context, caller *models.Client, text string) (models.AccessToken, error) {
	token, err := a.Tokens.Find(ctx, text)
	if err != nil {
		return token, err
	}
	if !caller.CanSee(token) {
		return token, models.TokenNotForCaller
	}
	if caller.Owns(token) {
		return token, token.Check(caller, a.Now())
	}
	return token, a.checkIssuer(ctx, token)
}

// checkIssuer returns nil if the token is in force, and an error that is models.ErrTokenNotFound otherwise.
func (a *API) checkIssuer(ctx context.Context, token models.AccessToken) error {
	issuer, err := a.Clients.Find(ctx, token.ClientID)
	if err != nil && !errors.Is(err, models.ErrClientNotFound) {
		return err
	}
	return token.Check(issuer, a.Now())
}

// ActiveToken returns a token that is in force, for a request to this server itself that shows it as a bearer token. It
// must be for the issuer, or for everybody, and not be bound. For any other token it returns an error that is
// models.ErrTokenNotFound. It returns an error that wraps models.ErrUnavailable if it cannot tell.
func (a *API) ActiveToken(ctx context.Context, text string) (models.AccessToken, error) {
	token, err := a.Tokens.Find(ctx, text)
	switch {
	case err != nil:
		return token, err
	case !token.IsFor(models.Text(a.Issuer)):
		return token, models.TokenNotForCaller
	case token.Binding != models.Binding{}:
		return token, models.TokenBound
	}
	return token, a.checkIssuer(ctx, token)
}
