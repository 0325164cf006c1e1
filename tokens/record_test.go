package tokens

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"chit/models"
)

// Decoding returns what was encoded, for any client id, with the fast parser and without it.
func FuzzRecord(f *testing.F) {
	f.Add("my-machine-client", "openid profile", int64(1795456498_123456), int64(3600))
	f.Add("größe", "", int64(0), int64(1))
	f.Add(`"\`, `<&>`, int64(-1), int64(-1))
	f.Add("a\x00\xff", "\u2028", int64(1<<50), int64(1<<31))
	f.Fuzz(func(t *testing.T, clientID, scope string, micros, ttl int64) {
		if micros < 0 || micros > 1<<53 || ttl < 0 || ttl > 1<<31 {
			t.Skip()
		}
		at := time.UnixMicro(micros)
		token := models.AccessToken{
			ID: "x", ClientID: strings.ToValidUTF8(clientID, "?"), Scope: strings.ToValidUTF8(scope, "?"),
			IssuedAt: at, ExpiresAt: at.Add(time.Duration(ttl) * time.Second),
		}
		var quick, slow map[string]any
		if json.Unmarshal(encode(token), &quick) != nil || json.Unmarshal(marshal(token), &slow) != nil || !maps.Equal(quick, slow) {
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
	f.Add(`{"client_id":"a","iat":1,"exp":2,"us":3}`)
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

func BenchmarkDecode(b *testing.B) {
	value := string(encode(models.AccessToken{ClientID: "my-machine-client", Scope: "openid profile", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}))
	b.Run("as written", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decode("x", value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decode("x", value+" "); err != nil {
				b.Fatal(err)
			}
		}
	})
}
