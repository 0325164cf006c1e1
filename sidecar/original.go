package sidecar

import (
	"net/http"
	"strings"
)

// original returns the request that a proxy asks about, for the check of a proof: with its method and its request line.
// nginx writes them to X-Original-Method and X-Original-URI, Traefik and Caddy to X-Forwarded-Method and
// X-Forwarded-Uri. Envoy sends the same method, and the URI behind /verify. Headers of anybody but a trusted proxy do
// not count. If a proxy sends both kinds and they differ, one of them comes from outside, and neither counts. If a proxy
// says nothing of the request, the proof is checked against /verify, so those of clients do not fit.
func (s *Sidecar) original(r *http.Request) *http.Request {
	if !s.guard.FromProxy(r) {
		return r
	}
	method, sameMethod := either(r.Header, "X-Original-Method", "X-Forwarded-Method")
	uri, sameURI := either(r.Header, "X-Original-Uri", "X-Forwarded-Uri")
	if !sameMethod || !sameURI {
		return r
	}
	asked := *r
	if method != "" {
		asked.Method = method
	}
	if behind, is := strings.CutPrefix(r.RequestURI, verifyPath+"/"); uri == "" && is {
		uri = "/" + behind
	}
	if uri != "" {
		asked.RequestURI = uri
	}
	return &asked
}

// either returns the value of one of two headers, or an empty text. same is false if there are different values.
func either(header http.Header, one, other string) (value string, same bool) {
	same = true
	for _, name := range []string{one, other} {
		for _, found := range header[name] {
			same = same && (value == "" || value == found)
			value = found
		}
	}
	return value, same
}
