// Package sidecar is the HTTP side of chit guard. It checks tokens for programs in any language: for the
// forward authentication of a proxy, or as a proxy in front of a service.
package sidecar

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"chit/guard"
)

// The headers that say whose token a request has. A caller cannot set them.
const (
	headerClientID = "X-Chit-Client-Id"
	headerScope    = "X-Chit-Scope"
	headerJTI      = "X-Chit-Jti"
)

// verifyPath is the path of forward authentication, with everything below it.
const verifyPath = "/verify"

// Options are the settings of a Sidecar.
type Options struct {
	Guard    guard.Config
	Scopes   string   // that every request needs, separated by spaces
	Upstream *url.URL // where other paths are passed on to; nil: they are not found
	Log      *slog.Logger
}

// Sidecar serves forward authentication, and a proxy if there is an upstream.
type Sidecar struct {
	guard    *guard.Guard
	scopes   string
	upstream http.Handler // nil: none
	log      *slog.Logger
	metrics  *metrics
	registry *prometheus.Registry
}

// New returns a sidecar with a guard. The error lists every wrong setting of the guard. Close must be called
// when it is no longer needed.
func New(options Options) (*Sidecar, error) {
	s := &Sidecar{scopes: options.Scopes, log: options.Log, registry: prometheus.NewRegistry()}
	config := options.Guard
	config.Log, config.OnRefusal = options.Log, s.refused
	g, err := guard.New(config)
	if err != nil {
		return nil, err
	}
	s.guard = g
	s.metrics = newMetrics(s.registry, g)
	if options.Upstream != nil {
		s.upstream = s.proxyTo(options.Upstream)
	}
	return s, nil
}

// Close ends the guard.
func (s *Sidecar) Close() error { return s.guard.Close() }

// ServeHTTP serves the public listener. It does not use a ServeMux, which would redirect some paths.
func (s *Sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == verifyPath || strings.HasPrefix(r.URL.Path, verifyPath+"/"):
		s.verify(w, r)
	case s.upstream == nil || r.Method == http.MethodConnect:
		http.Error(w, "there is nothing at this path: see /verify", http.StatusNotFound)
	default:
		s.guard.Require(s.scopes)(s.headersFit(s.upstream)).ServeHTTP(w, r)
	}
}

// verify answers 200 without a body if the request has a token with the scopes that are needed. The
// parameter scope asks for more of them.
func (s *Sidecar) verify(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	scopes := strings.Join(append([]string{s.scopes}, query["scope"]...), " ")
	if err != nil || !ValidScopes(scopes) {
		http.Error(w, "the parameter scope is malformed", http.StatusBadRequest)
		return
	}
	s.guard.Require(scopes)(s.headersFit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setIdentity(w.Header(), r.Context())
		w.Header().Set("Cache-Control", "no-store")
	}))).ServeHTTP(w, s.original(r))
}

// setIdentity sets the headers for the token of a request.
func setIdentity(header http.Header, ctx context.Context) {
	token, _ := guard.FromContext(ctx)
	header.Set(headerClientID, token.ClientID)
	header.Set(headerScope, strings.Join(token.Scopes, " "))
	header.Set(headerJTI, token.ID)
}

// headersFit refuses tokens whose client has an id that no header can carry.
func (s *Sidecar) headersFit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, _ := guard.FromContext(r.Context()); strings.ContainsFunc(token.ClientID, unicode.IsControl) {
			s.logRefusal(r, http.StatusForbidden, "the client_id has a control character, which a header cannot carry", token)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ValidScopes reports whether text has only characters of scopes and spaces (RFC 6749 §3.3).
func ValidScopes(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// refused logs and counts a refusal of the guard.
func (s *Sidecar) refused(r *http.Request, refusal guard.Refusal) {
	s.logRefusal(r, refusal.Status, refusal.Err.Error(), refusal.Token)
}

// logRefusal writes a line for a refused request. The line has no token and no query string.
func (s *Sidecar) logRefusal(r *http.Request, status int, cause string, token guard.Token) {
	s.metrics.refusals.WithLabelValues(statusLabel(status)).Inc()
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	attributes := []any{"status", status, "method", r.Method, "path", r.URL.Path, "remote", host, "cause", cause}
	if token.ID != "" {
		attributes = append(attributes, "client_id", token.ClientID, "jti", token.ID)
	}
	level := slog.LevelInfo
	if status == http.StatusServiceUnavailable {
		level = slog.LevelError
	}
	s.log.Log(r.Context(), level, "refused", attributes...)
}
