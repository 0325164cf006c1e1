package handlers

import (
	"encoding/base64"
	"net/url"
	"testing"
	"unicode/utf8"

	"chit/models"
)

// For any body, the parsed form agrees with the standard library, has no empty value and is UTF-8.
func FuzzParseForm(f *testing.F) {
	for _, text := range []string{"", "a=1&b=2", "a=1&a=2", "a=&a=1", "%", "a=%ff", "a;b=1", "&&=&", "a=b=c", "+=+", "a=%00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseForm(text)
		if err != nil {
			return
		}
		for _, p := range got {
			if p.value == "" || !utf8.ValidString(p.name) || !utf8.ValidString(p.value) {
				t.Errorf("%q gave %q", text, p)
			}
		}
		if standard, err := url.ParseQuery(text); err == nil {
			for name, values := range standard {
				filled := 0
				for _, value := range values {
					if value != "" {
						filled++
						if got.get(name) != value {
							t.Errorf("%q: %q is %q, want %q", text, name, got.get(name), value)
						}
					}
				}
				if filled > 1 {
					t.Errorf("%q: %q was taken %d times", text, name, filled)
				}
			}
		}
	})
}

// For any Authorization header, every reading is UTF-8 and there are at most two. Credentials that were
// encoded as RFC 6749 requires are read correctly.
func FuzzParseBasic(f *testing.F) {
	f.Add("Basic YWxpY2U6czNjcmV0", "alice", "s3cret")
	f.Add("basic  YWxpY2U6czNjcmV0 ", "odd id+%41", "a+b%2B")
	f.Add("Basic", "", "")
	f.Add("Bearer x", "a:b", ":")
	f.Fuzz(func(t *testing.T, header, id, secret string) {
		readings := parseBasic(header)
		if len(readings) > 2 {
			t.Errorf("%q has %d readings", header, len(readings))
		}
		for _, reading := range readings {
			if !utf8.ValidString(reading.id) || !utf8.ValidString(reading.secret) {
				t.Errorf("%q gave %+v", header, reading)
			}
		}
		if !utf8.ValidString(id) || !utf8.ValidString(secret) {
			return
		}
		joined := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		readings = parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(joined)))
		if len(readings) == 0 || readings[0] != (credentials{id: id, method: models.SecretBasic, secret: secret}) {
			t.Errorf("%q and %q are read as %+v", id, secret, readings)
		}
	})
}

func FuzzHasParameter(f *testing.F) {
	f.Add("client_id=a&client_secret=b", "client_secret")
	f.Add("%zz&client%5Fsecret", "client_secret")
	f.Fuzz(func(t *testing.T, query, name string) {
		if values, err := url.ParseQuery(query); err == nil && hasParameter(query, name) != values.Has(name) && name != "" {
			t.Errorf("%q in %q: got %t", name, query, hasParameter(query, name))
		}
	})
}
