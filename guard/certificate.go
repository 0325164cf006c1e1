package guard

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxCertificate is the size of the largest header with a certificate, in bytes.
const maxCertificate = 12 << 10

// Faults of a header with a certificate.
var (
	errCertificateTooLarge = errors.New("is larger than 12288 bytes")
	errCertificateBytes    = errors.New("is no byte sequence: write :base64: (RFC 8941 §3.3.5)")
	errCertificateForm     = errors.New("is neither a byte sequence (RFC 9440) nor a certificate in PEM in the encoding of URLs")
)

// DecodeClientCert returns the certificate in the value of a header Client-Cert, in DER (RFC 9440). It may also be PEM
// in the encoding of URLs, as nginx and Envoy write it. The header must come from a proxy that is trusted. The error
// ends a sentence that begins with the header's name.
func DecodeClientCert(value string) (der []byte, err error) {
	value = strings.Trim(value, " \t")
	if len(value) > maxCertificate {
		return nil, errCertificateTooLarge
	}
	if encoded, is := strings.CutPrefix(value, ":"); is {
		encoded, closed := strings.CutSuffix(encoded, ":")
		der, err = base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || !closed || strings.ContainsAny(encoded, "\r\n") {
			return nil, errCertificateBytes
		}
		return der, nil
	}
	text, err := url.PathUnescape(value)
	block, rest := pem.Decode([]byte(text))
	if err != nil || block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errCertificateForm
	}
	return block.Bytes, nil
}

// certificateOf returns the SHA-256 thumbprint of the certificate that the sender of a request has shown: to this
// process, or to a proxy that is trusted. It is empty if there is none.
func (g *Guard) certificateOf(r *http.Request) string {
	var der []byte
	if g.FromProxy(r) {
		headers := r.Header.Values("Client-Cert")
		if len(headers) != 1 {
			return ""
		}
		der, _ = DecodeClientCert(headers[0]) // the proxy's own certificate does not count
	} else if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		der = r.TLS.PeerCertificates[0].Raw
	}
	if len(der) == 0 {
		return ""
	}
	return hash(der)
}
