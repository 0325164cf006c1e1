package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Refusal is the answer to a request that Require does not let in (RFC 6750 §3, RFC 9449 §7.1).
type Refusal struct {
	Status int    // 400, 401, 403 or 503
	Code   string // the error code of these RFCs; empty if the request has no token, and for a 503
	Scope  string // the scopes that are needed, for a 403
	Scheme string // Bearer or DPoP, as the request has it; empty: Bearer
	Nonce  string // the nonce that proofs must have; empty: none
	Token  Token  // the token, for a 403
	Err    error  // the cause, for the log: it never contains the token
	// wantsProof: the token is bound to a key and came as a bearer token.
	wantsProof bool
}

var (
	errNoToken     = errors.New("there is no token in the Authorization header")
	errTwoHeaders  = errors.New("there is more than one Authorization header")
	errNotOneToken = errors.New("the Authorization header does not have exactly one token after its scheme")
	errScope       = errors.New("the token does not have every scope that is needed")
)

// Require returns a middleware that lets a request in if it has an active token with all of these scopes, and has shown
// what the token is bound to. The token is read from the header "Authorization: Bearer" alone (RFC 6750 §2.1), or
// "Authorization: DPoP" together with a proof (RFC 9449 §7.1). The handler gets it by FromContext. Other requests are
// answered as these RFCs say: 401 without a token, with an inactive one, or without the right proof or certificate,
// 403 if a scope is missing, 400 if the header is malformed. The answer is 503 with Retry-After if the token cannot be
// checked.
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
			if g.nonces != nil && token.Key != "" {
				w.Header().Set("DPoP-Nonce", g.nonces.current(time.Now()))
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
		})
	}
}

// CheckRequest returns the token of a request that Require would let in, or why it would not. A proof can be checked
// once only.
func (g *Guard) CheckRequest(r *http.Request, scopes ...string) (Token, *Refusal) {
	return g.admit(r, strings.Fields(strings.Join(scopes, " ")))
}

// admit is CheckRequest for a list of scopes.
func (g *Guard) admit(r *http.Request, needed []string) (Token, *Refusal) {
	shown, refusal := credentialsOf(r)
	if refusal != nil {
		return Token{}, refusal
	}
	a, err := g.check(r.Context(), shown.token)
	switch {
	case errors.Is(err, ErrInactive):
		refusal = &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Scheme: shown.scheme, Err: err}
	case err != nil:
		refusal = &Refusal{Status: http.StatusServiceUnavailable, Err: err}
	default:
		refusal = g.checkBinding(r, shown, &a.token)
	}
	if refusal == nil && !a.token.HasScopes(needed...) {
		refusal = &Refusal{Status: http.StatusForbidden, Code: "insufficient_scope", Scheme: shown.scheme, Scope: strings.Join(needed, " "), Token: a.token, Err: errScope}
	}
	if refusal == nil {
		return a.token, nil
	}
	if g.nonces != nil && shown.scheme == dpopScheme {
		refusal.Nonce = g.nonces.current(time.Now())
	}
	return Token{}, refusal
}

// BearerToken returns the token of a request, from the header "Authorization: Bearer" alone (RFC 6750 §2.1).
// Another scheme counts as no token. Programs that call Check need it.
func BearerToken(r *http.Request) (string, *Refusal) {
	shown, refusal := credentialsOf(r)
	if refusal == nil && shown.scheme != bearerScheme {
		return "", &Refusal{Status: http.StatusUnauthorized, Err: errNoToken}
	}
	return shown.token, refusal
}

// credentialsOf returns the token of a request and its scheme, which is in any letters. Another scheme counts as no
// token.
func credentialsOf(r *http.Request) (credentials, *Refusal) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return credentials{}, &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Err: errTwoHeaders}
	}
	if len(headers) == 0 {
		return credentials{}, &Refusal{Status: http.StatusUnauthorized, Err: errNoToken}
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	switch {
	case strings.EqualFold(scheme, bearerScheme):
		scheme = bearerScheme
	case strings.EqualFold(scheme, dpopScheme):
		scheme = dpopScheme
	default:
		return credentials{}, &Refusal{Status: http.StatusUnauthorized, Err: errNoToken}
	}
	token := strings.TrimSpace(rest)
	if token == "" || strings.ContainsAny(token, " \t,") {
		return credentials{}, &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Scheme: scheme, Err: errNotOneToken}
	}
	return credentials{scheme, token}, nil
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
		if r.wantsProof {
			header.Add("WWW-Authenticate", dpopScheme+" "+proofChallenge)
		}
	}
	if r.Nonce != "" {
		header.Set("DPoP-Nonce", r.Nonce)
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
	challenge := fmt.Sprintf(`%s realm="%s"`, cmp.Or(r.Scheme, bearerScheme), realm)
	if r.Code != "" {
		challenge += fmt.Sprintf(`, error="%s"`, r.Code)
	}
	if r.Scope != "" {
		challenge += fmt.Sprintf(`, scope="%s"`, r.Scope)
	}
	if r.Scheme == dpopScheme {
		challenge += ", " + proofChallenge
	}
	return challenge
}
