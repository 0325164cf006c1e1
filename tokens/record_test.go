package tokens

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"chit/models"
)

// Decoding returns what was encoded, for any client id, with the fast parser and without it.
func FuzzRecord(f *testing.F) {
	f.Add("my-machine-client", "openid profile", "", "", "", int64(1795456498_123456), int64(3600))
	f.Add("größe", "", "https://a.example", "", "key", int64(0), int64(1))
	f.Add(`"\`, `<&>`, "https://a.example https://b.example/?a&b", "certificate", "", int64(-1), int64(-1))
	f.Add("a\x00\xff", "\u2028", "ü", "certificate", "key", int64(1<<50), int64(1<<31))
	f.Fuzz(func(t *testing.T, clientID, scope, audience, certificate, key string, micros, ttl int64) {
		if micros < 0 || micros > 1<<53 || ttl < 0 || ttl > 1<<31 {
			t.Skip()
		}
		at := time.UnixMicro(micros)
		token := models.AccessToken{
			ID: "x", ClientID: strings.ToValidUTF8(clientID, "?"), Scope: strings.ToValidUTF8(scope, "?"),
			Audience: models.Audience(strings.Join(strings.Fields(strings.ToValidUTF8(audience, "?")), " ")),
			Binding:  models.Binding{Certificate: strings.ToValidUTF8(certificate, "?"), Key: strings.ToValidUTF8(key, "?")},
			IssuedAt: at, ExpiresAt: at.Add(time.Duration(ttl) * time.Second),
		}
		var quick, slow map[string]any
		if json.Unmarshal(encode(token), &quick) != nil || json.Unmarshal(marshal(token), &slow) != nil || !reflect.DeepEqual(quick, slow) {
			t.Errorf("encoded %s, want %s", encode(token), marshal(token))
		}
		got, err := decode("x", string(encode(token)))
		if err != nil || got != token {
			t.Errorf("got %v, %v, want %v", got, err, token)
		}
	})
}

// The fast parser agrees with encoding/json on every value that it accepts.
func FuzzParseRecord(f *testing.F) {
	f.Add(string(encode(models.AccessToken{ClientID: "a", Scope: "b c", IssuedAt: time.Now(), ExpiresAt: time.Now()})))
	f.Add(string(encode(models.AccessToken{ClientID: "a", Audience: "b c", Binding: models.Binding{Certificate: "d", Key: "e"}, IssuedAt: time.Now(), ExpiresAt: time.Now()})))
	f.Add(`{"client_id":"a","iat":1,"exp":2,"us":3}`)
	f.Add(`{"client_id":"a","aud":["b"],"cnf":{"jkt":""},"iat":1,"exp":2,"us":3}`)
	f.Add(`{"client_id":"a","aud":["b","c d"],"cnf":{"jkt":"e"}},"iat":1,"exp":2,"us":3}`)
	f.Add(`{"client_id":"a","iat":01,"exp":2,"us":3}`)
	f.Add(`{"client_id":"a","iat":1,"exp":2,"us":3} `)
	f.Add(`{"client_id":"a,"iat":1,"exp":2}`)
	f.Fuzz(func(t *testing.T, value string) {
		quick, taken := parseRecord(value)
		if !taken {
			return
		}
		var slow record
		if err := json.Unmarshal([]byte(value), &slow); err != nil || slow != quick {
			t.Errorf("%q: got %v, want %v, %v", value, quick, slow, err)
		}
	})
}

// What an earlier version has written stays valid, and it can read what this version writes.
func TestRecordOfEarlierVersions(t *testing.T) {
	const former = `{"client_id":"a","scope":"b c","iat":1,"exp":3601,"us":5}`
	token, err := decode("x", former)
	want := models.AccessToken{ID: "x", ClientID: "a", Scope: "b c", IssuedAt: time.UnixMicro(1_000_005), ExpiresAt: time.UnixMicro(3601_000_005)}
	if err != nil || token != want || string(encode(want)) != former {
		t.Errorf("%+v %v, written as %s", token, err, encode(want))
	}
	token.Audience, token.Binding = "https://a.example https://b.example", models.Binding{Key: "k"}
	var earlier struct {
		ClientID string `json:"client_id"`
		Scope    string `json:"scope,omitempty"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Micros   int64  `json:"us"`
	}
	const present = `{"client_id":"a","scope":"b c","aud":["https://a.example","https://b.example"],"cnf":{"jkt":"k"},"iat":1,"exp":3601,"us":5}`
	if err := json.Unmarshal(encode(token), &earlier); err != nil || earlier.Scope != "b c" || earlier.Micros != 5 || string(encode(token)) != present {
		t.Errorf("%+v %v: %s", earlier, err, encode(token))
	}
}

func BenchmarkDecode(b *testing.B) {
	token := models.AccessToken{ClientID: "my-machine-client", Scope: "openid profile", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	bound := token
	bound.Audience, bound.Binding = "https://api.example.com", models.Binding{Key: strings.Repeat("k", 43)}
	for _, row := range []struct{ name, value string }{
		{"as written", string(encode(token))},
		{"with aud and cnf", string(encode(bound))},
		{"by encoding/json", string(encode(token)) + " "},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode("x", row.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
