package assertions_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/assertions"
	"chit/keys"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// What a pattern of subjects lets in. A * counts at the end only.
func TestMatchesSubject(t *testing.T) {
	for _, row := range []struct {
		pattern, subject string
		want             bool
	}{
		{"repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true},
		{"repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main2", false},
		{"repo:acme/app:ref:refs/heads/main", "Repo:acme/app:ref:refs/heads/main", false},
		{"repo:acme/app:*", "repo:acme/app:environment:production", true},
		{"repo:acme/app:*", "repo:acme/app:", true},
		{"repo:acme/app:*", "repo:acme/app-evil:ref", false},
		{"repo:acme/*", "repo:acme/app/../evil", true},
		{"repo:*:ref", "repo:acme:ref", false},
		{"repo:*:ref", "repo:*:ref", true},
		{"repo:?cme", "repo:acme", false},
		{"repo:[a]cme", "repo:acme", false},
		{"**", "*x", true},
		{"**", "x", false},
		{"*", "x", true},
		{"*", "", false},
		{"", "", true},
		{"", "x", false},
	} {
		if got := assertions.MatchesSubject(row.pattern, row.subject); got != row.want {
			t.Errorf("%q and %q: %t", row.pattern, row.subject, got)
		}
	}
}

// Any assertion is refused without a panic, unless the client has signed it.
func FuzzAssertion(f *testing.F) {
	// The processes of the fuzzer must agree about what is right.
	signer := apptest.SignerOf(f, "EdDSA", "k", ed25519.NewKeyFromSeed([]byte("a key that only this test uses..")))
	ring, err := keys.NewRing(nil)
	if err != nil {
		f.Fatal(err)
	}
	right := signer.Sign(apptest.Claims{"iss": "job", "sub": "job", "aud": "http://localhost:8080", "jti": "1", "exp": 4102444800})
	verifier := assertions.Verifier{Keys: ring, Audiences: []string{"http://localhost:8080"}, MaxLifetime: 1 << 62,
		Once: func(context.Context, string, time.Duration) (bool, error) { return true, nil }}
	client := &models.Client{ClientID: "job", AuthMethod: models.PrivateKeyJWT, JWKS: models.Text(apptest.JWKS(signer))}
	f.Add(right)
	f.Add(strings.Repeat(".", 9000))
	f.Add(signer.Sign(apptest.AssertionClaims("other", "x")))
	f.Fuzz(func(t *testing.T, text string) {
		assertion, err := assertions.Parse(text)
		if err == nil {
			err = verifier.Verify(t.Context(), assertion, client, time.Now(), models.Last)
		}
		if err == nil && !sameStatement(text, right) {
			t.Errorf("accepted: %q", text)
		}
		if err != nil && !errors.Is(err, models.ErrAuthenticationFailed) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// sameStatement reports whether two texts are the same but for their encoding. base64 has several forms of the
// same bytes.
func sameStatement(text, right string) bool {
	return strings.HasPrefix(strings.NewReplacer("\r", "", "\n", "").Replace(text), right[:len(right)-4])
}
