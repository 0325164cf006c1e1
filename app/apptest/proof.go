package apptest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ProofClaims returns the claims of a right DPoP proof for a request, with a jti of its own.
func ProofClaims(method, url string) Claims {
	return Claims{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
}

// Proof returns a DPoP proof with these claims (RFC 9449 §4.2).
func (s *Signer) Proof(claims Claims) string {
	s.t.Helper()
	payload, err := json.Marshal(claims)
	must(s.t, err)
	return s.SignText(s.ProofHeader(), string(payload))
}

// ProofHeader returns the header of a right DPoP proof.
func (s *Signer) ProofHeader() map[string]any {
	return map[string]any{"typ": "dpop+jwt", "alg": s.Algorithm, "jwk": json.RawMessage(s.JWK())}
}

// TokenHash returns the ath of proofs for a token.
func TokenHash(token string) string {
	digest := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// Thumbprint returns the SHA-256 thumbprint of the key, in base64url (RFC 7638).
func (s *Signer) Thumbprint() string {
	s.t.Helper()
	digest, err := (&jose.JSONWebKey{Key: s.Public()}).Thumbprint(crypto.SHA256)
	must(s.t, err)
	return base64.RawURLEncoding.EncodeToString(digest)
}

// CertificateThumbprint returns the x5t#S256 of a certificate (RFC 8705 §3.1).
func CertificateThumbprint(certificate *x509.Certificate) string {
	digest := sha256.Sum256(certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// TokenRequest returns a request to the server at a URL, its issuer, for a token that is bound to the key.
func (s *Signer) TokenRequest(issuer, user, secret string) *http.Request {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodPost, issuer+"/token", strings.NewReader("grant_type=client_credentials"))
	must(s.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", s.Proof(ProofClaims(http.MethodPost, issuer+"/token")))
	request.SetBasicAuth(user, secret)
	return request
}

// ProofFor returns a proof for a request with a token.
func (s *Signer) ProofFor(token, method, url string) string {
	s.t.Helper()
	return s.Proof(ProofClaims(method, url).With(Claims{"ath": TokenHash(token)}))
}
