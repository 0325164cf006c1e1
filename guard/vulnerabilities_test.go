package guard_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"chit/app/apptest"
	"chit/guard"
)

// Spring Security issue 16937, giantswarm/mcp-oauth issue 383: a token that is bound to a key worked as a bearer token,
// because only the scheme of the request decided whether a proof is needed.
func TestSpringSecurityIssue16937BoundTokenAsBearer(t *testing.T) {
	s := newStage(t, "", "")
	bound := s.boundToken()
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER "} {
		for name, request := range map[string]*http.Request{
			"alone":               get(scheme + bound),
			"with a right proof":  get(scheme+bound, s.signer.ProofFor(bound, "GET", apiURL)),
			"with an empty proof": get(scheme+bound, ""),
		} {
			if answer := s.send(request); answer.Code != 401 || !errors.Is(s.cause, guard.ErrBound) {
				t.Errorf("%s%s: %d %v", scheme, name, answer.Code, s.cause)
			}
		}
	}
}

// danielfett/draft-dpop issue 63: one kind of binding must not do for the other.
func TestDraftDPoPIssue63OneBindingForAnother(t *testing.T) {
	s := newStage(t, ", tls_client_certificate_bound_access_tokens", ", true")
	leaf := apptest.NewAuthority(t).Issue("a.example").Load(t).Leaf
	shown := http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":"}}
	certified := s.token(shown)
	if answer := s.send(get("DPoP "+certified, s.signer.ProofFor(certified, "GET", apiURL))); answer.Code != 401 || !errors.Is(s.cause, guard.ErrBound) {
		t.Errorf("a proof for a token of a certificate: %d %v", answer.Code, s.cause)
	}
	shown["Dpop"] = []string{s.signer.Proof(apptest.ProofClaims("POST", s.server.URL+"/token"))}
	both := s.token(shown)
	by := func(authorization, proof string, certificate bool) *http.Request {
		request := get(authorization + both)
		if proof != "" {
			request.Header.Set("DPoP", proof)
		}
		if certificate {
			request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
		}
		return request
	}
	proof := func() string {
		return s.signer.ProofFor(both, "GET", "https"+apiURL[len("http"):])
	}
	for name, row := range map[string]struct {
		request *http.Request
		status  int
	}{
		"both":                           {by("DPoP ", proof(), true), 204},
		"the certificate alone":          {by("Bearer ", "", true), 401},
		"the certificate, with a scheme": {by("DPoP ", "", true), 401},
		"the proof alone":                {by("DPoP ", s.signer.ProofFor(both, "GET", apiURL), false), 401},
	} {
		if answer := s.send(row.request); answer.Code != row.status {
			t.Errorf("%s: %d %v", name, answer.Code, s.cause)
		}
	}
}

// Quarkus issue 48110: a proof with the usual port, for a request with the same port, was refused.
func TestQuarkusIssue48110UsualPort(t *testing.T) {
	s := newStage(t, "", "")
	bound := s.boundToken()
	for _, at := range []string{"http://api.example:80/v1/invoices", "http://api.example/v1/invoices"} {
		for _, signed := range []string{"http://api.example:80/v1/invoices", "http://api.example/v1/invoices"} {
			request := httptest.NewRequest(http.MethodGet, at, nil)
			request.Header.Set("Authorization", "DPoP "+bound)
			request.Header.Set("DPoP", s.signer.ProofFor(bound, "GET", signed))
			if answer := s.send(request); answer.Code != 204 {
				t.Errorf("%s for %s: %d %v", signed, at, answer.Code, s.cause)
			}
		}
	}
}

// mcdonc/klangk issue 3287: the path of a proof has the prefix that a handler in front has cut off.
func TestKlangkIssue3287CutPrefix(t *testing.T) {
	s := newStage(t, "", "")
	bound := s.boundToken()
	handler := http.StripPrefix("/v1", s.guard.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, get("DPoP "+bound, s.signer.ProofFor(bound, "GET", apiURL)))
	if answer.Code != 204 {
		t.Errorf("%d %v", answer.Code, s.cause)
	}
}
