package models_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"chit/models"
)

// Any text that CanBeClientID accepts fits the column client_id of both databases.
func FuzzCanBeClientID(f *testing.F) {
	f.Add("my-machine-client")
	f.Fuzz(func(t *testing.T, id string) {
		storable := utf8.ValidString(id) && !strings.Contains(id, "\x00") && len([]rune(id)) <= 255 && id != ""
		if got := models.CanBeClientID(id); got != storable {
			t.Errorf("%q: got %t", id, got)
		}
	})
}

// For any secret and any stored hash, only the right secret authenticates the client. The stored hash
// itself is never accepted as a secret.
func FuzzAuthenticate(f *testing.F) {
	f.Add("right", "right", "")
	f.Fuzz(func(t *testing.T, secret, presented, stored string) {
		client := &models.Client{ClientSecretHash: models.HashSecret(secret)}
		if _, err := client.Authenticate(models.SecretBasic, presented, time.Time{}); (err == nil) != (presented == secret && secret != "") {
			t.Errorf("%q for %q: %v", presented, secret, err)
		}
		client.ClientSecretHash = stored
		if _, err := client.Authenticate(models.SecretBasic, presented, time.Time{}); err == nil && stored != models.HashSecret(presented) {
			t.Errorf("%q opens what has %q", presented, stored)
		}
	})
}
