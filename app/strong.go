package app

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"chit/assertions"
	"chit/certificates"
	"chit/dpop"
	"chit/keys"
)

// StrongClients are the settings of clients without a shared secret.
type StrongClients struct {
	AssertionAudiences   string   `name:"assertion-audiences" env:"CHIT_ASSERTION_AUDIENCES" placeholder:"URL,…" help:"What the aud of a client assertion may be beside the issuer, such as the URL of the token endpoint (default none)."`
	AssertionMaxLifetime Duration `name:"assertion-max-lifetime" env:"CHIT_ASSERTION_MAX_LIFETIME" default:"5m" placeholder:"DURATION" help:"How far ahead the exp of a client assertion may be (default ${default})."`
	JWKSPrivate          string   `name:"jwks-private" env:"CHIT_JWKS_PRIVATE" default:"off" placeholder:"on|off" help:"Whether key documents may be fetched from private addresses (default ${default})."`
	JWKSCA               string   `name:"jwks-ca" env:"CHIT_JWKS_CA" placeholder:"PATH" help:"Certificates of authorities, in PEM, that are trusted for key documents in addition to those of the system."`
	DPoPNonce            string   `name:"dpop-nonce" env:"CHIT_DPOP_NONCE" default:"off" placeholder:"on|off" help:"Whether DPoP proofs must have a nonce of this server (default ${default})."`
}

// maxAssertionLifetime limits the records of used assertions in Redis.
const maxAssertionLifetime = 24 * time.Hour

// check returns every fault.
func (c *StrongClients) check() error {
	faults := []error{c.AssertionMaxLifetime.Check("CHIT_ASSERTION_MAX_LIFETIME", time.Second)}
	if c.AssertionMaxLifetime.Duration > maxAssertionLifetime {
		faults = append(faults, Fault("CHIT_ASSERTION_MAX_LIFETIME", "%v is too long: the most is %v", c.AssertionMaxLifetime.Duration, maxAssertionLifetime))
	}
	for _, flag := range []struct{ setting, value string }{{"CHIT_JWKS_PRIVATE", c.JWKSPrivate}, {"CHIT_DPOP_NONCE", c.DPoPNonce}} {
		if !slices.Contains([]string{"on", "off"}, flag.value) {
			faults = append(faults, Fault(flag.setting, "%q is neither on nor off", flag.value))
		}
	}
	if c.JWKSCA != "" {
		if _, err := c.authorities(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// authorities returns those that are trusted for key documents; nil: those of the system.
func (c *StrongClients) authorities() (*x509.CertPool, error) {
	if c.JWKSCA == "" {
		return nil, nil
	}
	content, err := os.ReadFile(c.JWKSCA)
	if err != nil {
		return nil, Fault("CHIT_JWKS_CA", "cannot be read: %v", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, Fault("CHIT_JWKS_CA", "has no certificate in PEM: %s", c.JWKSCA)
	}
	return pool, nil
}

// newRing returns what finds the keys of clients and of other issuers.
func (s *Server) newRing(log *slog.Logger) (*keys.Ring, error) {
	authorities, err := s.config.authorities()
	if err != nil {
		return nil, err
	}
	fetcher := keys.NewFetcher(authorities, s.config.JWKSPrivate == "on")
	return keys.NewRing(&keys.Documents{Fetch: fetcher.Fetch, Now: time.Now, Log: log})
}

// newAssertions returns what checks the assertions of clients.
func (s *Server) newAssertions(ring *keys.Ring) *assertions.Verifier {
	others := strings.FieldsFunc(s.config.AssertionAudiences, func(r rune) bool { return r == ',' || r == ' ' })
	return &assertions.Verifier{
		Audiences:   append([]string{s.config.Issuer}, others...),
		MaxLifetime: s.config.AssertionMaxLifetime.Duration,
		Keys:        ring,
		Once:        s.tokens.Once,
	}
}

// newProofs returns what checks the DPoP proofs of clients.
func (s *Server) newProofs() *dpop.Verifier {
	verifier := &dpop.Verifier{Bases: []string{strings.TrimSuffix(s.config.Issuer, "/")}, Once: s.tokens.Once}
	if base := s.config.mtlsBase(); base != "" {
		verifier.Bases = append(verifier.Bases, strings.TrimSuffix(base, "/"))
	}
	if s.config.DPoPNonce == "on" {
		verifier.Nonces = &dpop.Nonces{Agree: s.tokens.Agree}
	}
	return verifier
}

// newCertificates returns what checks the certificates of clients.
func (s *Server) newCertificates(ring *keys.Ring, log *slog.Logger) (*certificates.Verifier, error) {
	verifier := &certificates.Verifier{Keys: ring}
	if s.config.TLSClientCA != "" {
		authorities, err := openAuthorities(s.config.TLSClientCA, log)
		if err != nil {
			return nil, err
		}
		verifier.Authorities = authorities.current
	}
	return verifier, nil
}
