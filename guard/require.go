package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Refusal is the answer to a request that Require does not let in (RFC 6750 §3).
type Refusal struct {
	Status int    // 400, 401, 403 or 503
	Code   string // the error code of RFC 6750 §3.1; empty if the request has no token, and for a 503
	Scope  string // the scopes that are needed, for a 403
	Token  Token  // the token, for a 403
	Err    error  // the cause, for the log: it never contains the token
}

var (
	errNoToken     = errors.New("there is no bearer token in the Authorization header")
	errTwoHeaders  = errors.New("there is more than one Authorization header")
	errNotOneToken = errors.New("the Authorization header does not have exactly one token after Bearer")
	errScope       = errors.New("the token does not have every scope that is needed")
)

// Require returns a middleware that lets a request in if it has an active token with all of these scopes.
// The token is read from the header "Authorization: Bearer" alone (RFC 6750 §2.1). The handler gets it by
// FromContext. Other requests are answered as RFC 6750 §3 says: 401 without a token or with an inactive one,
// 403 if a scope is missing, 400 if the header is malformed. The answer is 503 with Retry-After if the token
// cannot be checked.
func (g *Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	needed := strings.Fields(strings.Join(scopes, " "))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, refusal := g.admit(r, needed)
			if refusal != nil {
				if g.config.OnRefusal != nil {
					g.config.OnRefusal(r, *refusal)
				}
				refusal.Answer(w, g.config.Realm)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
		})
	}
}

// admit returns the token of a request, or why the request is refused.
func (g *Guard) admit(r *http.Request, needed []string) (Token, *Refusal) {
	bearer, refusal := BearerToken(r)
	if refusal != nil {
		return Token{}, refusal
	}
	token, err := g.Check(r.Context(), bearer)
	switch {
	case errors.Is(err, ErrInactive):
		return Token{}, &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Err: err}
	case err != nil:
		return Token{}, &Refusal{Status: http.StatusServiceUnavailable, Err: err}
	case !token.HasScopes(needed...):
		return Token{}, &Refusal{Status: http.StatusForbidden, Code: "insufficient_scope", Scope: strings.Join(needed, " "), Token: token, Err: errScope}
	}
	return token, nil
}

// BearerToken returns the token of a request, from the header "Authorization: Bearer" alone (RFC 6750 §2.1).
// Another scheme counts as no token. Require calls it; programs that call Check need it.
func BearerToken(r *http.Request) (string, *Refusal) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Err: errTwoHeaders}
	}
	if len(headers) == 0 {
		return "", &Refusal{Status: http.StatusUnauthorized, Err: errNoToken}
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &Refusal{Status: http.StatusUnauthorized, Err: errNoToken}
	}
	token := strings.TrimSpace(rest)
	if token == "" || strings.ContainsAny(token, " \t,") {
		return "", &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Err: errNotOneToken}
	}
	return token, nil
}

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = "1"

// Answer writes the refusal as an answer (RFC 6750 §3). The realm must not need escapes in a quoted string.
func (r *Refusal) Answer(w http.ResponseWriter, realm string) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	code := r.Code
	if r.Status == http.StatusServiceUnavailable {
		code = "temporarily_unavailable"
		header.Set("Retry-After", retryAfter)
	} else {
		header.Set("WWW-Authenticate", r.challenge(realm))
	}
	if code == "" {
		w.WriteHeader(r.Status)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(r.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code}) // the client may be gone
}

// challenge returns the value of WWW-Authenticate. A request without a token gets no error code.
func (r *Refusal) challenge(realm string) string {
	challenge := fmt.Sprintf(`Bearer realm="%s"`, realm)
	if r.Code != "" {
		challenge += fmt.Sprintf(`, error="%s"`, r.Code)
	}
	if r.Scope != "" {
		challenge += fmt.Sprintf(`, scope="%s"`, r.Scope)
	}
	return challenge
}
