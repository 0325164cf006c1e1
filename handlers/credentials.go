package handlers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"chit/assertions"
	"chit/certificates"
	"chit/models"
)

// credentials are what a request shows to authenticate a client. A request may have more than one reading of
// them.
type credentials struct {
	id        string
	method    models.AuthMethod // empty: only an id was sent
	secret    string
	assertion *assertions.Assertion
	// certificate is what a client has shown that has sent its id alone; nil: nothing.
	certificate *certificates.Shown
	malformed   error // why there is no assertion or certificate, although one was sent
}

// clientCredentials returns the readings of the client's credentials. There are none, one, or two if HTTP
// Basic can be read both form-encoded and raw.
func clientCredentials(r *http.Request, form form) ([]credentials, error) {
	headers := r.Header.Values("Authorization")
	secret, assertion := form.get("client_secret"), form.get("client_assertion")
	if len(headers) > 1 || count(len(headers) > 0, secret != "", assertion != "") > 1 {
		return nil, errTwoAuthentications
	}
	switch id := form.get("client_id"); {
	case assertion != "":
		return []credentials{parseAssertion(form, assertion)}, nil
	case len(headers) > 0:
		return basicCredentials(headers[0], id)
	case secret != "":
		return []credentials{{id: id, method: models.SecretPost, secret: secret}}, nil
	case id != "":
		return []credentials{{id: id}}, nil
	}
	return nil, nil
}

func count(conditions ...bool) (n int) {
	for _, condition := range conditions {
		if condition {
			n++
		}
	}
	return n
}

var errAssertionType = errors.New("its client_assertion_type is not " + assertions.Type)

// parseAssertion reads an assertion. The id is client_id, or the subject of an assertion without it.
func parseAssertion(form form, text string) credentials {
	shown := credentials{id: form.get("client_id"), method: models.PrivateKeyJWT}
	if form.get("client_assertion_type") != assertions.Type {
		shown.malformed = fmt.Errorf("%w: %w", models.WrongAssertion, errAssertionType)
		return shown
	}
	shown.assertion, shown.malformed = assertions.Parse(text)
	if shown.id == "" && shown.assertion != nil {
		shown.id = shown.assertion.Subject()
	}
	return shown
}

// basicCredentials returns the readings of an Authorization header. id is the client_id of the body; empty:
// there is none.
func basicCredentials(header, id string) ([]credentials, error) {
	readings := parseBasic(header)
	if id != "" && len(readings) > 0 {
		readings = withID(readings, id)
		if len(readings) == 0 {
			return nil, errTwoClientIDs
		}
	}
	return readings, nil
}

func withID(readings []credentials, id string) []credentials {
	var same []credentials
	for _, reading := range readings {
		if reading.id == id {
			same = append(same, reading)
		}
	}
	return same
}

// parseBasic parses an Authorization header with the scheme Basic. RFC 6749 §2.3.1 requires that id and
// secret are form-encoded before they are joined, but curl -u and many clients join them as they are. If
// the two readings differ, both are returned, that of the RFC first. Another scheme or a malformed header
// gives no reading.
func parseBasic(header string) []credentials {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	joined, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || !utf8.Valid(joined) {
		return nil
	}
	id, secret, found := strings.Cut(string(joined), ":")
	if !found {
		return nil
	}
	raw := credentials{id: id, method: models.SecretBasic, secret: secret}
	decodedID, idErr := decode(id)
	decodedSecret, secretErr := decode(secret)
	decoded := credentials{id: decodedID, method: models.SecretBasic, secret: decodedSecret}
	if idErr != nil || secretErr != nil || decoded == raw {
		return []credentials{raw}
	}
	return []credentials{decoded, raw}
}

// clientCert is the header with the certificate that a client has shown to a proxy (RFC 9440).
const clientCert = "Client-Cert"

// addCertificate adds what the client has shown to credentials that are an id alone. From a proxy only its headers
// count: the certificate of the connection is the proxy's own.
func (a *API) addCertificate(r *http.Request, shown *credentials) {
	if peer, fit := parseHop(r.RemoteAddr); fit && isProxy(a.Proxies, peer) {
		var err error
		if shown.certificate, err = certificates.OfHeaders(r.Header.Values(clientCert), r.Header.Values(clientCert+"-Chain")); err != nil {
			shown.malformed = fmt.Errorf("%w: %w", models.WrongCertificate, err)
		}
	} else if r.TLS != nil {
		shown.certificate = certificates.OfConnection(r.TLS.PeerCertificates)
	}
}
