package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is the size of the largest request body that is read, in bytes.
const maxBody = 64 << 10

const formType = "application/x-www-form-urlencoded"

// maxParameters is the maximum number of parameters with a value. It limits the work of finding duplicates.
const maxParameters = 64

// form has the parameters of a request body that have a value. A parameter without a value counts as absent
// (RFC 6749 §3.2).
type form []parameter

type parameter struct{ name, value string }

// get returns the value of a parameter, or an empty text.
func (f form) get(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// all returns the values of a parameter that may be repeated.
func (f form) all(name string) (values []string) {
	for i := range f {
		if f[i].name == name {
			values = append(values, f[i].value)
		}
	}
	return values
}

// repeatable is the parameter that may be given more than once (RFC 8707 §2).
const repeatable = "resource"

// readParameters reads the form of a POST. A GET has no parameters, because the query string is never read.
func readParameters(r *http.Request) (form, error) {
	if hasParameter(r.URL.RawQuery, "client_secret") {
		return nil, errSecretInQuery
	}
	if r.Method == http.MethodGet {
		return nil, nil
	}
	return readForm(r)
}

// readForm reads the parameters from the body only. It returns a problem if the body is not a form, is too
// large or malformed, or has a parameter twice.
func readForm(r *http.Request) (form, error) {
	if r.ContentLength > maxBody {
		return nil, errBodyTooLarge
	}
	if !isForm(r.Header.Get("Content-Type")) {
		return nil, errContentType
	}
	body, err := readBody(r)
	if _, repeats := errors.AsType[textproto.ProtocolError](err); repeats {
		return nil, errBodyUnreadable.because(errTrailer)
	}
	if err != nil {
		return nil, errBodyUnreadable.because(err)
	}
	if len(body) > maxBody {
		return nil, errBodyTooLarge
	}
	return parseForm(string(body))
}

func isForm(contentType string) bool {
	if contentType == formType {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == formType
}

// promptBody is the size up to which memory for a body is allocated before the body arrives. For larger
// bodies memory grows as they arrive, so that thousands of connections that announce 64 KiB and send
// nothing cost little.
const promptBody = 4 << 10

// readBody reads the body. If it is too large, readBody returns one byte more than maxBody.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > promptBody {
		return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// parseForm parses the text of a form.
func parseForm(text string) (form, error) {
	parameters := make(form, 0, 4)
	for pair := range strings.SplitSeq(text, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := decode(rawName)
		if err != nil {
			return nil, errMalformedBody
		}
		value, err := decode(rawValue)
		if err != nil {
			return nil, errMalformedBody
		}
		if value == "" {
			continue
		}
		if name != repeatable && parameters.get(name) != "" {
			return nil, errRepeatedParameter
		}
		if len(parameters) == maxParameters {
			return nil, errTooManyParameters
		}
		parameters = append(parameters, parameter{name, value})
	}
	return parameters, nil
}

// errTrailer replaces an error of net/textproto that repeats what was sent.
var errTrailer = errors.New("malformed trailer")

var errNotUTF8 = errors.New("not UTF-8")

// decode decodes a form-encoded name or value (RFC 6749 appendix B).
func decode(text string) (string, error) {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(decoded) {
		return "", errNotUTF8
	}
	return decoded, nil
}

// hasParameter reports whether a query string has a parameter with this name. The query string may be
// malformed.
func hasParameter(query, name string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		rawName, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(rawName); err == nil && decoded == name {
			return true
		}
	}
	return false
}
