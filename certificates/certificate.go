// Package certificates authenticates clients by X.509 certificates (RFC 8705 §2): by one of a trusted authority,
// or by one with a registered key.
package certificates

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"chit/guard"
)

// maxChain is the maximum number of certificates beside that of the client.
const maxChain = 8

// Shown are a client's certificate and those that others have signed it with. Whoever shows it has proved to
// have its private key. Nothing else is proved.
type Shown struct {
	Leaf  *x509.Certificate
	Chain []*x509.Certificate
}

// OfConnection returns what a client has shown in its TLS handshake; nil: nothing.
func OfConnection(peer []*x509.Certificate) *Shown {
	if len(peer) == 0 {
		return nil
	}
	return &Shown{peer[0], peer[1:min(len(peer), maxChain+1)]}
}

// Thumbprint returns the SHA-256 thumbprint of the client's certificate, in base64url (RFC 8705 §3.1).
func (s *Shown) Thumbprint() string {
	digest := sha256.Sum256(s.Leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

var errTwoHeaders = errors.New("the header Client-Cert is there twice")

// OfHeaders returns what a client has shown to a proxy: the values of Client-Cert and Client-Cert-Chain (RFC 9440).
// It returns nil if there is no Client-Cert. The certificate may also be PEM in the encoding of URLs, as nginx
// and Envoy write it.
func OfHeaders(certificate, chain []string) (*Shown, error) {
	switch {
	case len(certificate) == 0 || len(certificate) == 1 && certificate[0] == "":
		return nil, nil
	case len(certificate) > 1:
		return nil, errTwoHeaders
	}
	leaf, err := parseHeader(certificate[0])
	if err != nil {
		return nil, fmt.Errorf("the header Client-Cert %w", err)
	}
	shown := &Shown{Leaf: leaf}
	for _, value := range chain {
		for item := range strings.SplitSeq(value, ",") {
			above, err := parseHeader(item)
			if err != nil {
				return nil, fmt.Errorf("the header Client-Cert-Chain %w", err)
			}
			if shown.Chain = append(shown.Chain, above); len(shown.Chain) > maxChain {
				return nil, fmt.Errorf("the header Client-Cert-Chain has more than %d certificates", maxChain)
			}
		}
	}
	return shown, nil
}

// parseHeader parses a certificate in a header.
func parseHeader(value string) (*x509.Certificate, error) {
	der, err := guard.DecodeClientCert(value)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("has no certificate: %w", err)
	}
	return certificate, nil
}
