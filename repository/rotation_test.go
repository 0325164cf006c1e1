package repository_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/migrations"
	"chit/models"
	"chit/repository"
)

func (s suite) rotate(t *testing.T) {
	s.register(t, "rotated")
	s.exec(t, "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('rotated', 'expired', CURRENT_TIMESTAMP), ('rotated', 'valid', '2999-01-01 00:00:00'), ('neighbour', 'expired', '2020-01-01 00:00:00')")
	client, _, err := s.RotateSecret(t.Context(), "rotated", repository.Rotation{SecretHash: models.HashSecret("new"), Overlap: time.Hour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]*models.Client{"returned": client, "found": s.find(t, "rotated")} {
		if len(client.RetiredSecrets) != 2 || client.TokensRevokedBefore != nil {
			t.Errorf("%s: %+v", name, client)
		}
		now := time.Now()
		if !opens(client, "new", now) || !opens(client, "rotated", now.Add(59*time.Minute)) || opens(client, "rotated", now.Add(61*time.Minute)) {
			t.Errorf("%s: the wrong secrets open it: %+v", name, client)
		}
	}
	var left int
	if err := s.DB().QueryRow("SELECT count(*) FROM oauth_client_retired_secret WHERE client_id = 'neighbour'").Scan(&left); err != nil || left != 1 {
		t.Errorf("of another client %d are left, %v", left, err)
	}
	client, _, err = s.RotateSecret(t.Context(), "rotated", repository.Rotation{SecretHash: models.HashSecret("third"), RevokeTokens: true}, nil)
	if err != nil || opens(client, "new", time.Now()) || !opens(client, "third", time.Now()) || !near(*client.TokensRevokedBefore, time.Now()) {
		t.Errorf("without overlap: %+v, %v", client, err)
	}
	if !opens(client, "rotated", time.Now()) {
		t.Error("a secret that was retired before has ended early")
	}
}

// If the same secret is retired twice, the later expiry counts.
func (s suite) rotateBackAndForth(t *testing.T) {
	s.register(t, "a")
	for _, secret := range []string{"b", "a", "b", "a", "a"} {
		client, _, err := s.RotateSecret(t.Context(), "a", repository.Rotation{SecretHash: models.HashSecret(secret), Overlap: time.Hour}, nil)
		if err != nil || !opens(client, secret, time.Now()) {
			t.Fatalf("to %s: %+v, %v", secret, client, err)
		}
		s.exec(t, "UPDATE oauth_client_retired_secret SET expires_at = '2999-01-01 00:00:00', last_used_at = CURRENT_TIMESTAMP WHERE client_id = 'a'")
	}
	client, _, err := s.RotateSecret(t.Context(), "a", repository.Rotation{SecretHash: models.HashSecret("c"), Overlap: time.Hour}, nil)
	if err != nil || len(client.RetiredSecrets) != 2 {
		t.Fatalf("%+v, %v", client, err)
	}
	for _, retired := range client.RetiredSecrets {
		if again := retired.SecretHash == models.HashSecret("a"); again != (retired.ExpiresAt.Year() < 2999) || again != (retired.LastUsedAt == nil) {
			t.Errorf("%+v", retired)
		}
	}
}

func (s suite) rotateWithoutSecret(t *testing.T) {
	s.exec(t, "INSERT INTO oauth_client (client_id, is_public) VALUES ('bare', false), ('public', true)")
	client, _, err := s.RotateSecret(t.Context(), "bare", repository.Rotation{SecretHash: models.HashSecret("x"), Overlap: time.Hour}, nil)
	if err != nil || len(client.RetiredSecrets) != 0 || opens(client, "", time.Now()) || !opens(client, "x", time.Now()) {
		t.Errorf("an empty hash: %+v, %v", client, err)
	}
	if _, _, err := s.RotateSecret(t.Context(), "public", repository.Rotation{SecretHash: "x"}, nil); !errors.Is(err, models.ErrPublicClient) {
		t.Errorf("a public client: %v", err)
	}
	if client := s.find(t, "public"); client.ClientSecretHash != "" {
		t.Errorf("a public client has a hash: %+v", client)
	}
}

// Two rotations at the same time lose no secret: each one is the client's secret or a retired one.
func (s suite) rotateAtOnce(t *testing.T) {
	s.register(t, "busy")
	secrets := []string{"busy", "1", "2", "3", "4"}
	var wait sync.WaitGroup
	for _, secret := range secrets[1:] {
		wait.Go(func() {
			if _, _, err := s.RotateSecret(t.Context(), "busy", repository.Rotation{SecretHash: models.HashSecret(secret), Overlap: time.Hour}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	client := s.find(t, "busy")
	for _, secret := range secrets {
		if !opens(client, secret, time.Now()) {
			t.Errorf("%s does not open it", secret)
		}
	}
}

// After a failed rotation nothing has changed, as the error message says.
func TestRotationIsWholeOrNotAtAll(t *testing.T) {
	database := apptest.Database(t)
	clients, err := repository.OpenPostgreSQL(database)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	if _, err := migrations.Up(t.Context(), clients.DB(), migrations.PostgreSQL); err != nil {
		t.Fatal(err)
	}
	s := suite{clients, migrations.PostgreSQL}
	s.register(t, "whole")
	s.exec(t, "ALTER TABLE oauth_client ADD CHECK (client_secret_hash <> '"+models.HashSecret("new")+"')") // applies after the retired secret was written
	if _, _, err := s.RotateSecret(t.Context(), "whole", repository.Rotation{SecretHash: models.HashSecret("new"), Overlap: time.Hour}, nil); !errors.Is(err, models.ErrUnavailable) {
		t.Fatal(err)
	}
	if client := s.find(t, "whole"); !opens(client, "whole", time.Now()) || len(client.RetiredSecrets) != 0 {
		t.Errorf("%+v", client)
	}
}
