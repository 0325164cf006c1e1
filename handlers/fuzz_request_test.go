package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var fitForLogs = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// For any X-Request-Id, the id in use is safe for a log and a header. An id that is safe is kept.
func FuzzRequestID(f *testing.F) {
	f.Add("8f1c-from_the.proxy")
	f.Fuzz(func(t *testing.T, sent string) {
		got := RequestID(&http.Request{Header: http.Header{"X-Request-Id": {sent}}})
		if !fitForLogs.MatchString(got) || fitForLogs.MatchString(sent) != (got == sent) {
			t.Errorf("sent %q, got %q", sent, got)
		}
	})
}

// For any Content-Type, a form is what the standard library takes for one, and nothing that begins with
// another type.
func FuzzIsForm(f *testing.F) {
	f.Add(formType)
	f.Fuzz(func(t *testing.T, contentType string) {
		mediaType, _, err := mime.ParseMediaType(contentType)
		if got := isForm(contentType); got != (err == nil && mediaType == formType) {
			t.Errorf("%q: got %t", contentType, got)
		}
		begins := strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), formType)
		if isForm(contentType) && !begins {
			t.Errorf("%q is taken for a form", contentType)
		}
	})
}

// Any request is read as a form within its limits, or refused with a text that repeats none of it.
func FuzzReadForm(f *testing.F) {
	f.Add("", formType, "grant_type=client_credentials", false)
	f.Fuzz(func(t *testing.T, query, contentType, body string, chunked bool) {
		request := &http.Request{
			URL:           &url.URL{RawQuery: query},
			Header:        http.Header{"Content-Type": {contentType}},
			Body:          io.NopCloser(strings.NewReader(body)),
			ContentLength: int64(len(body)),
		}
		if chunked {
			request.ContentLength = -1
		}
		form, err := readForm(request)
		if err == nil {
			if len(body) > maxBody || len(form) > maxParameters {
				t.Errorf("%d bytes with %d parameters are read", len(body), len(form))
			}
			return
		}
		p, ok := errors.AsType[*problem](err)
		if !ok || p.status != http.StatusBadRequest && p.status != http.StatusRequestEntityTooLarge || p.cause != nil {
			t.Errorf("%q: %v", body, err)
		}
	})
}

// For any X-Forwarded-For, the result is an address, and it is the peer's address unless the peer is a
// proxy.
func FuzzAddresses(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.2", "")
	address := addresses([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, first, second string) {
		header := http.Header{"X-Forwarded-For": {first, second}}
		got := address(&http.Request{RemoteAddr: "10.0.0.1:40000", Header: header})
		if _, err := netip.ParseAddr(got); err != nil {
			t.Errorf("%q and %q give %q", first, second, got)
		}
		if got := address(&http.Request{RemoteAddr: "192.0.2.7:40000", Header: header}); got != "192.0.2.7" {
			t.Errorf("%q and %q of a stranger give %q", first, second, got)
		}
	})
}
