package apptest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Issuer is a server with the keys of a client or of a platform, and with a discovery document.
type Issuer struct {
	URL string // of the issuer
	// KeysURL is the URL of the key document.
	KeysURL string

	mu       sync.Mutex // guards the fields below
	document string
	down     bool
	asked    int
}

// NewIssuer starts an issuer with the keys of these signers.
func NewIssuer(t testing.TB, signers ...*Signer) *Issuer {
	t.Helper()
	i := &Issuer{document: JWKS(signers...)}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.URL, i.KeysURL = server.URL, server.URL+"/openid/v1/jwks"
	return i
}

// Publish replaces the key document.
func (i *Issuer) Publish(document string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.document = document
}

// Break makes every answer a failure, or ends that.
func (i *Issuer) Break(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Asked returns how often the key document was asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// ServeHTTP answers like the API server of Kubernetes and the discovery provider of SPIRE.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.down:
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/openid/v1/jwks":
		i.asked++
		w.Header().Set("Content-Type", "application/jwk-set+json")
		fmt.Fprint(w, i.document)
	case r.URL.Path == "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`, i.URL, i.KeysURL)
	default:
		http.NotFound(w, r)
	}
}
