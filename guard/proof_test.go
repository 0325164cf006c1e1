package guard_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"chit/app/apptest"
	"chit/guard"
)

// The examples of RFC 9449: figures 2 and 13, and the thumbprint and the hash that belong to them in §6.1 and §7.1.
const (
	rfcHeader     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfcProof      = rfcHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcTokenProof = rfcHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfcToken      = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func TestProofsOfTheRFC(t *testing.T) {
	proof, err := guard.ParseProof(rfcProof)
	want := guard.Proof{ID: "-BwC3ESc6acc2lTc", Method: "POST", URL: "https://server.example.com/token", IssuedAt: time.Unix(1562262616, 0), Key: rfcThumbprint}
	if err != nil || *proof != want {
		t.Errorf("%+v %v", proof, err)
	}
	if err := proof.Check("POST", "https://server.example.com/token", time.Unix(1562262650, 0)); err != nil {
		t.Error(err)
	}
	proof, err = guard.ParseProof(rfcTokenProof)
	if err != nil || proof.Key != rfcThumbprint || proof.TokenHash != apptest.TokenHash(rfcToken) || proof.TokenHash != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" {
		t.Errorf("%+v %v", proof, err)
	}
}

// A right proof is accepted with every algorithm, and its thumbprint is that of RFC 7638.
func TestProofAlgorithms(t *testing.T) {
	for _, algorithm := range guard.ProofAlgorithms {
		signer := apptest.NewSigner(t, algorithm, "")
		proof, err := guard.ParseProof(signer.Proof(apptest.ProofClaims("GET", "https://api.example/a")))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		digest, err := (&jose.JSONWebKey{Key: signer.Public()}).Thumbprint(crypto.SHA256)
		if want := base64.RawURLEncoding.EncodeToString(digest); err != nil || proof.Key != want {
			t.Errorf("%s: thumbprint %s, want %s", algorithm, proof.Key, want)
		}
	}
}

// What is wrong with a proof is found. Each row changes a right one.
func TestWrongProofs(t *testing.T) {
	signer, other := apptest.NewSigner(t, "ES256", ""), apptest.NewSigner(t, "ES256", "")
	strong := apptest.NewSigner(t, "RS256", "")
	header := func(change map[string]any) string {
		changed := signer.ProofHeader()
		maps.Copy(changed, change)
		payload, err := json.Marshal(apptest.ProofClaims("GET", "https://api.example/a"))
		if err != nil {
			t.Fatal(err)
		}
		return signer.SignText(changed, string(payload))
	}
	claims := func(change apptest.Claims) string {
		return signer.Proof(apptest.ProofClaims("GET", "https://api.example/a").With(change))
	}
	jwk := func(change string) map[string]any {
		return map[string]any{"jwk": json.RawMessage(strings.Replace(signer.JWK(), "{", "{"+change, 1))}
	}
	private, err := json.Marshal(jose.JSONWebKey{Key: signer.Private()})
	if err != nil {
		t.Fatal(err)
	}
	right := claims(nil)
	parts := strings.Split(right, ".")
	for name, row := range map[string]struct {
		proof string
		err   guard.ProofError
	}{
		"empty":                       {"", guard.ErrProofMalformed},
		"two parts":                   {parts[0] + "." + parts[1], guard.ErrProofMalformed},
		"four parts":                  {right + ".", guard.ErrProofMalformed},
		"padded":                      {right + "=", guard.ErrProofMalformed},
		"a line break":                {right[:9] + "\n" + right[9:], guard.ErrProofMalformed},
		"trailing bits":               {right[:len(right)-1] + "_", guard.ErrProofMalformed},
		"too large":                   {claims(apptest.Claims{"x": strings.Repeat("x", 7000)}), guard.ErrProofTooLarge},
		"no signature":                {parts[0] + "." + parts[1] + ".", guard.ErrProofSignature},
		"a signature of DER":          {parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 70)), guard.ErrProofSignature},
		"signed by another key":       {other.SignText(signer.ProofHeader(), `{"jti":"a","htm":"GET","htu":"https://api.example/a","iat":1}`), guard.ErrProofSignature},
		"other claims":                {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"jti":"a","htm":"GET","htu":"https://api.example/a","iat":1}`)) + "." + parts[2], guard.ErrProofSignature},
		"typ JWT":                     {header(map[string]any{"typ": "JWT"}), guard.ErrProofType},
		"no typ":                      {header(map[string]any{"typ": nil}), guard.ErrProofType},
		"typ in capitals":             {header(map[string]any{"typ": "DPoP+JWT"}), guard.ErrProofType},
		"alg none":                    {header(map[string]any{"alg": "none"}), guard.ErrProofAlgorithm},
		"alg HS256":                   {header(map[string]any{"alg": "HS256"}), guard.ErrProofAlgorithm},
		"alg ES384":                   {header(map[string]any{"alg": "ES384"}), guard.ErrProofAlgorithm},
		"no alg":                      {header(map[string]any{"alg": nil}), guard.ErrProofAlgorithm},
		"crit":                        {header(map[string]any{"crit": []string{"b64"}, "b64": false}), guard.ErrProofCritical},
		"no jwk":                      {header(map[string]any{"jwk": nil}), guard.ErrProofKey},
		"jwk is a text":               {header(map[string]any{"jwk": "x"}), guard.ErrProofKey},
		"a key of another kind":       {header(map[string]any{"jwk": json.RawMessage(strong.JWK())}), guard.ErrProofKey},
		"an alg of another kind":      {header(map[string]any{"alg": "RS256"}), guard.ErrProofKey},
		"a private key":               {header(map[string]any{"jwk": json.RawMessage(private)}), guard.ErrProofPrivate},
		"a symmetric key":             {header(map[string]any{"jwk": json.RawMessage(`{"kty":"oct","k":"c2VjcmV0"}`)}), guard.ErrProofPrivate},
		"kty twice":                   {header(jwk(`"kty":"EC",`)), guard.ErrProofKey},
		"a point that is on no curve": {header(map[string]any{"jwk": json.RawMessage(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`)}), guard.ErrProofKey},
		"short coordinates":           {header(map[string]any{"jwk": json.RawMessage(`{"kty":"EC","crv":"P-256","x":"AAE","y":"AAE"}`)}), guard.ErrProofKey},
		"header no object":            {base64.RawURLEncoding.EncodeToString([]byte(`[]`)) + "." + parts[1] + "." + parts[2], guard.ErrProofHeader},
		"typ twice":                   {base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","typ":"dpop+jwt"}`)) + "." + parts[1] + "." + parts[2], guard.ErrProofHeader},
		"more behind the header":      {base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt"}{}`)) + "." + parts[1] + "." + parts[2], guard.ErrProofHeader},
		"typ in other letters":        {base64.RawURLEncoding.EncodeToString([]byte(`{"Typ":"dpop+jwt"}`)) + "." + parts[1] + "." + parts[2], guard.ErrProofType},
		"no jti":                      {claims(apptest.Claims{"jti": nil}), guard.ErrProofClaims},
		"empty jti":                   {claims(apptest.Claims{"jti": ""}), guard.ErrProofClaims},
		"jti is a number":             {claims(apptest.Claims{"jti": 7}), guard.ErrProofClaims},
		"no htm":                      {claims(apptest.Claims{"htm": nil}), guard.ErrProofClaims},
		"no htu":                      {claims(apptest.Claims{"htu": nil}), guard.ErrProofClaims},
		"no iat":                      {claims(apptest.Claims{"iat": nil}), guard.ErrProofClaims},
		"iat is a text":               {claims(apptest.Claims{"iat": "1"}), guard.ErrProofClaims},
		"iat is far too large":        {claims(apptest.Claims{"iat": 1e300}), guard.ErrProofClaims},
		"claims no object":            {signer.SignText(signer.ProofHeader(), `"x"`), guard.ErrProofClaims},
		"htm twice":                   {signer.SignText(signer.ProofHeader(), `{"jti":"a","htm":"GET","htm":"POST","htu":"https://api.example/a","iat":1}`), guard.ErrProofClaims},
		"claims in other letters":     {signer.SignText(signer.ProofHeader(), `{"JTI":"a","htm":"GET","htu":"https://api.example/a","iat":1}`), guard.ErrProofClaims},
		"a header of another JWT":     {signer.Sign(apptest.ProofClaims("GET", "https://api.example/a")), guard.ErrProofType},
	} {
		if proof, err := guard.ParseProof(row.proof); !errors.Is(err, row.err) || proof != nil {
			t.Errorf("%s: %v, want %v", name, err, row.err)
		}
	}
}

func TestProofOf(t *testing.T) {
	request := &http.Request{Header: http.Header{}}
	if proof, err := guard.ProofOf(request); proof != nil || err != nil {
		t.Errorf("none: %v, %v", proof, err)
	}
	request.Header.Add("dpop", rfcProof)
	if proof, err := guard.ProofOf(request); proof == nil || err != nil {
		t.Errorf("one: %v, %v", proof, err)
	}
	request.Header.Add("DPoP", rfcProof)
	if proof, err := guard.ProofOf(request); proof != nil || !errors.Is(err, guard.ErrProofTwice) {
		t.Errorf("two: %v, %v", proof, err)
	}
}

// A proof is for one method and one URL, and for a minute around its iat.
func TestCheckProof(t *testing.T) {
	const at = "https://api.example/a/b"
	now := time.Unix(1_800_000_000, 0)
	for name, row := range map[string]struct {
		method, url string
		age         time.Duration
		err         guard.ProofError
	}{
		"right":                       {"GET", at, 0, ""},
		"a minute old":                {"GET", at, time.Minute, ""},
		"a minute ahead":              {"GET", at, -time.Minute, ""},
		"too old":                     {"GET", at, time.Minute + time.Second, guard.ErrProofTime},
		"too far ahead":               {"GET", at, -time.Minute - time.Second, guard.ErrProofTime},
		"another method":              {"POST", at, 0, guard.ErrProofMethod},
		"the method in other letters": {"get", at, 0, guard.ErrProofMethod},
		"another path":                {"GET", at + "/", 0, guard.ErrProofURL},
		"another host":                {"GET", "https://evil.example/a/b", 0, guard.ErrProofURL},
		"http":                        {"GET", "http://api.example/a/b", 0, guard.ErrProofURL},
		"another port":                {"GET", "https://api.example:8443/a/b", 0, guard.ErrProofURL},
		"with a user":                 {"GET", "https://user@api.example/a/b", 0, guard.ErrProofURL},
		"a path in other letters":     {"GET", "https://api.example/A/b", 0, guard.ErrProofURL},
		"an escaped slash":            {"GET", "https://api.example/a%2Fb", 0, guard.ErrProofURL},
		"a double slash":              {"GET", "https://api.example/a//b", 0, guard.ErrProofURL},
		"relative":                    {"GET", "/a/b", 0, guard.ErrProofURL},
		"no URL":                      {"GET", "::", 0, guard.ErrProofURL},
		"with a query":                {"GET", at + "?c=d", 0, ""},
		"with a fragment":             {"GET", at + "#c", 0, ""},
		"in capitals":                 {"GET", "HTTPS://API.example/a/b", 0, ""},
		"with the usual port":         {"GET", "https://api.example:443/a/b", 0, ""},
		"with an empty port":          {"GET", "https://api.example:/a/b", 0, ""},
		"with needless escapes":       {"GET", "https://api.example/%61/b", 0, ""},
		"with dot segments":           {"GET", "https://api.example/c/../a/./b", 0, ""},
		"with escaped dot segments":   {"GET", "https://api.example/c/%2e%2E/a/b", 0, ""},
	} {
		proof := guard.Proof{ID: "a", Method: row.method, URL: row.url, IssuedAt: now.Add(-row.age)}
		err := proof.Check("GET", at, now)
		if row.err == "" && err != nil || row.err != "" && !errors.Is(err, row.err) {
			t.Errorf("%s: %v, want %v", name, err, row.err)
		}
	}
	escaped := guard.Proof{Method: "GET", URL: "https://[2001:DB8::1]/%c3%bc%2f%7E", IssuedAt: now}
	if err := escaped.Check("GET", "https://[2001:db8::1]:443/%C3%BC%2F~", now); err != nil {
		t.Errorf("escapes in other letters: %v", err)
	}
	root := guard.Proof{Method: "GET", URL: "https://api.example", IssuedAt: now}
	if err := root.Check("GET", "https://api.example/", now); err != nil {
		t.Errorf("without a path: %v", err)
	}
}

// Whatever ParseProof accepts, go-jose accepts, too, with the same key and the same claims.
func FuzzProof(f *testing.F) {
	f.Add(rfcProof)
	f.Add(rfcTokenProof)
	for _, algorithm := range guard.ProofAlgorithms[:4] {
		f.Add(apptest.NewSigner(f, algorithm, "k").Proof(apptest.ProofClaims("GET", "https://api.example/a").With(apptest.Claims{"nonce": "n", "ath": "a"})))
	}
	f.Fuzz(func(t *testing.T, text string) {
		proof, err := guard.ParseProof(text)
		if err != nil {
			if _, is := err.(guard.ProofError); !is || proof != nil {
				t.Fatalf("%v with %v", err, proof)
			}
			return
		}
		signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
		if err != nil {
			t.Fatalf("go-jose: %v", err)
		}
		key := signed.Signatures[0].Protected.JSONWebKey
		payload, err := signed.Verify(key)
		if err != nil {
			t.Fatalf("go-jose: %v", err)
		}
		digest, err := key.Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(digest) != proof.Key {
			t.Errorf("thumbprint %s: %v", proof.Key, err)
		}
		var claims struct{ Jti, Htm, Htu string }
		if err := json.Unmarshal(payload, &claims); err != nil || claims.Jti != proof.ID || claims.Htm != proof.Method || claims.Htu != proof.URL {
			t.Errorf("%+v, not %+v: %v", proof, claims, err)
		}
	})
}

// FuzzProofURL holds the normal form to what it is for: it does not change what is normal, and it is one of the same
// host.
func FuzzProofURL(f *testing.F) {
	f.Add("https://api.example/a/b", "HTTPS://API.example:443/%61/./c/../b?x#y")
	f.Add("http://[::1]:80", "http://[::1]/")
	f.Fuzz(func(t *testing.T, one, other string) {
		now := time.Unix(1, 0)
		same := func(a, b string) bool {
			return (&guard.Proof{Method: "GET", URL: a, IssuedAt: now}).Check("GET", b, now) == nil
		}
		if same(one, other) != same(other, one) {
			t.Errorf("%q and %q", one, other)
		}
		if same(one, "https://api.example/a") && !strings.EqualFold(one[:min(len(one), 5)], "https") {
			t.Errorf("%q", one)
		}
	})
}

func BenchmarkParseProof(b *testing.B) {
	for _, algorithm := range guard.ProofAlgorithms[:4] {
		proof := apptest.NewSigner(b, algorithm, "").Proof(apptest.ProofClaims("GET", "https://api.example/a"))
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := guard.ParseProof(proof); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
