package models_test

import (
	"slices"
	"testing"
	"time"

	"chit/models"
)

func TestWellFormedScopes(t *testing.T) {
	for text, want := range map[string]bool{
		"openid profile":         true,
		"https://api/x.read a:b": true,
		"":                       true,
		`a"b`:                    false,
		`a\b`:                    false,
		"a\tb":                   false,
		"größe":                  false,
	} {
		if got := models.ParseScopes(text).WellFormed(); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}

// For any request, every granted scope is allowed, was requested, and is granted once.
func FuzzScopes(f *testing.F) {
	f.Add("openid profile", "profile")
	f.Add("a b c", " c  a c ")
	f.Add("", "x")
	f.Add("a", "")
	f.Add("a\tb", "a\x00 b")
	f.Fuzz(func(t *testing.T, allowed, requested string) {
		may, asked := models.ParseScopes(allowed), models.ParseScopes(requested)
		if !slices.Equal(models.ParseScopes(may.String()), may) {
			t.Errorf("%q does not survive being written and read again", may)
		}
		granted, err := may.Grant(requested)
		client := models.Client{AllowedScopes: allowed, GrantTypes: models.ClientCredentials}
		if got, gotErr := client.Grant(models.TokenRequest{Scope: requested}, time.Hour); gotErr != err || got.Scope != granted.String() {
			t.Errorf("%q of %q: the client grants %q, %v, want %q, %v", requested, allowed, got.Scope, gotErr, granted, err)
		}
		if err != nil {
			if !slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(may, s) }) {
				t.Errorf("%q of %q refused", requested, allowed)
			}
			return
		}
		want := asked
		if len(asked) == 0 {
			want = may
		}
		if !slices.Equal(granted, want) {
			t.Errorf("%q of %q: got %q, want %q", requested, allowed, granted, want)
		}
	})
}
