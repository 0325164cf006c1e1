package sidecar

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// proxyTo returns a proxy to the upstream. It replaces the headers of identity.
func (s *Sidecar) proxyTo(upstream *url.URL) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // the upstream is beside this process
	transport.MaxIdleConnsPerHost = 100
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			dropIdentity(r.Out.Header)
			if !s.guard.FromProxy(r.In) {
				r.Out.Header.Del("Client-Cert") // nobody has checked it
				r.Out.Header.Del("Client-Cert-Chain")
			}
			setIdentity(r.Out.Header, r.In.Context())
		},
		Transport:     transport,
		FlushInterval: -1, // streams are passed on at once
		ErrorLog:      slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			s.metrics.upstreamErrors.Inc()
			s.log.Error("the upstream does not answer", "method", r.Method, "path", r.URL.Path, "cause", err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}

// dropIdentity removes the headers of identity that the caller has sent. Some frameworks take an underscore
// in the name of a header for a hyphen.
func dropIdentity(header http.Header) {
	for name := range header {
		switch http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) {
		case headerClientID, headerScope, headerJTI:
			delete(header, name)
		}
	}
}
