// Package certificates authenticates clients by X.509 certificates (RFC 8705 §2): by one of a trusted authority,
// or by one with a registered key.
package certificates

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	// maxChain is the maximum number of certificates beside that of the client.
	maxChain = 8
	// maxHeader is the size of the largest header with a certificate, in bytes.
	maxHeader = 12 << 10
)

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
	value = strings.Trim(value, " \t")
	if len(value) > maxHeader {
		return nil, fmt.Errorf("is larger than %d bytes", maxHeader)
	}
	var der []byte
	if encoded, is := strings.CutPrefix(value, ":"); is {
		encoded, closed := strings.CutSuffix(encoded, ":")
		decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || !closed || strings.ContainsAny(encoded, "\r\n") {
			return nil, errors.New("is no byte sequence: write :base64: (RFC 8941 §3.3.5)")
		}
		der = decoded
	} else {
		text, err := url.PathUnescape(value)
		block, rest := pem.Decode([]byte(text))
		if err != nil || block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, errors.New("is neither a byte sequence (RFC 9440) nor a certificate in PEM in the encoding of URLs")
		}
		der = block.Bytes
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("has no certificate: %w", err)
	}
	return certificate, nil
}
