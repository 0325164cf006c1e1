package keys_test

import (
	"testing"

	"chit/app/apptest"
	"chit/keys"
)

// What it costs to parse a statement and to check its signature.
func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256", "PS256"} {
		b.Run(algorithm, func(b *testing.B) {
			signer := apptest.NewSigner(b, algorithm, "k")
			set, err := keys.Parse(apptest.JWKS(signer))
			if err != nil {
				b.Fatal(err)
			}
			text := signer.Assertion("job")
			b.ReportAllocs()
			for b.Loop() {
				signed, err := keys.ParseSigned(text)
				if err == nil {
					err = signed.Verify(set)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
