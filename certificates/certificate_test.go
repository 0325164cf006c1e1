package certificates_test

import (
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"os"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/certificates"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// The forms of a certificate in a header, and what is no certificate.
func TestOfHeaders(t *testing.T) {
	text, err := os.ReadFile(apptest.NewAuthority(t).Issue("job").Cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	item := ":" + base64.StdEncoding.EncodeToString(block.Bytes) + ":"
	escaped := strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20")
	for _, row := range []struct {
		name        string
		certificate []string
		chain       []string
		want        string // an error; ok; none
	}{
		{"RFC 9440", []string{item}, nil, "ok"},
		{"with spaces", []string{" " + item + " "}, nil, "ok"},
		{"with a chain", []string{item}, []string{item + ", " + item, item}, "ok"},
		{"as nginx and Envoy write it", []string{escaped}, nil, "ok"},
		{"none", nil, nil, "none"},
		{"an empty one", []string{""}, nil, "none"},
		{"a chain alone", nil, []string{item}, "none"},
		{"two", []string{item, item}, nil, "is there twice"},
		{"two in one", []string{item + ", " + item}, nil, "is no byte sequence"},
		{"not closed", []string{strings.TrimSuffix(item, ":")}, nil, "is no byte sequence"},
		{"not base64", []string{":!:"}, nil, "is no byte sequence"},
		{"no certificate", []string{":AAAA:"}, nil, "has no certificate"},
		{"base64 alone", []string{strings.Trim(item, ":")}, nil, "is neither"},
		{"two in PEM", []string{escaped + escaped}, nil, "is neither"},
		{"a broken chain", []string{item}, []string{"x"}, "Client-Cert-Chain is neither"},
		{"a long chain", []string{item}, []string{strings.Repeat(item+",", 8) + item}, "has more than 8"},
		{"large", []string{":" + strings.Repeat("A", 13<<10) + ":"}, nil, "is larger than"},
	} {
		shown, err := certificates.OfHeaders(row.certificate, row.chain)
		got := "none"
		switch {
		case err != nil:
			got = err.Error()
		case shown != nil:
			got = "ok"
		}
		if got != row.want && (err == nil || !strings.Contains(got, row.want)) {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

// Any header has a certificate, or none, or is refused.
func FuzzOfHeaders(f *testing.F) {
	f.Add(":AAAA:", "")
	f.Add("-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A", ":AAAA:, :AAAA:")
	f.Fuzz(func(t *testing.T, certificate, chain string) {
		shown, err := certificates.OfHeaders([]string{certificate}, []string{chain})
		if err == nil && shown == nil && certificate != "" || err != nil && shown != nil || shown != nil && shown.Leaf == nil {
			t.Errorf("%q, %q: %v, %v", certificate, chain, shown, err)
		}
	})
}
