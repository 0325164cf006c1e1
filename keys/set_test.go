package keys_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"chit/app/apptest"
	"chit/keys"
)

// The example of RFC 7638 §3.1.
const rfc7638 = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`

func TestThumbprint(t *testing.T) {
	set, err := keys.Parse(`{"keys":[` + rfc7638 + `]}`)
	if err != nil || len(set.Keys) != 1 {
		t.Fatal(set, err)
	}
	if got := set.Keys[0].Thumbprint(); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %s", got)
	}
	if algorithms := set.Keys[0].Algorithms(); len(algorithms) != 1 || algorithms[0] != "RS256" {
		t.Errorf("got %v", algorithms)
	}
}

// What is wrong with a key is said, and no private key is taken for a public one.
func TestUnusable(t *testing.T) {
	signer := apptest.NewSigner(t, "ES256", "k")
	private, err := jose.JSONWebKey{Key: signer.Private(), KeyID: "k"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(rfc7638, `"n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"`, `"n":"0vx7agoebGcQSuuPiLJXZg"`, 1)
	for key, want := range map[string]string{
		signer.JWK():                   "",
		string(private):                keys.ErrPrivate.Error(),
		`{"kty":"oct","k":"c2VjcmV0"}`: keys.ErrSymmetric.Error(),
		short:                          "is an RSA key of",
		strings.Replace(signer.JWK(), "P-256", "P-384", 1):                               "",
		strings.TrimSuffix(signer.JWK(), "}") + `,"alg":"HS256"}`:                        `has the alg "HS256"`,
		strings.TrimSuffix(signer.JWK(), "}") + `,"use":"enc"}`:                          "is not for signatures",
		`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}`: "unsupported key type",
		`{}`: "missing json web key type",
		`7`:  "",
	} {
		set, err := keys.Parse(`{"keys":[` + key + `]}`)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if key == signer.JWK() {
			if len(set.Keys) != 1 || len(set.Unusable) != 0 {
				t.Errorf("%s: %+v", key, set)
			}
			continue
		}
		if len(set.Keys) != 0 || len(set.Unusable) != 1 || !strings.Contains(set.Unusable[0].Error(), "key 1: ") || !strings.Contains(set.Unusable[0].Error(), want) {
			t.Errorf("%s: %+v", key, set)
		}
		if strings.Contains(want, "private") && !errors.Is(set.Unusable[0], keys.ErrPrivate) {
			t.Errorf("%v", set.Unusable)
		}
	}
}

// Any document is read within its limits, and has no private key.
func FuzzParse(f *testing.F) {
	f.Add(`{"keys":[` + rfc7638 + `]}`)
	f.Add(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"EC","crv":"P-256","x":"","y":""}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		set, err := keys.Parse(document)
		if err != nil && (len(set.Keys) > 0 || len(set.Unusable) > 0) {
			t.Errorf("%v with %+v", err, set)
		}
		for _, key := range set.Keys {
			if !(&jose.JSONWebKey{Key: key.Public}).IsPublic() || len(key.Thumbprint()) != 43 {
				t.Errorf("%+v", key)
			}
		}
	})
}
