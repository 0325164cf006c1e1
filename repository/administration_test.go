package repository_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"chit/migrations"
	"chit/models"
	"chit/repository"
)

func TestAdministration(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s suite) {
		t.Run("update", s.update)
		t.Run("disable and enable", s.disableAndEnable)
		t.Run("enable after SQL", s.enableAfterSQL)
		t.Run("delete", s.delete)
		t.Run("rotate", s.rotate)
		t.Run("rotate back and forth", s.rotateBackAndForth)
		t.Run("rotate a client without a secret", s.rotateWithoutSecret)
		t.Run("rotate all at once", s.rotateAtOnce)
		t.Run("revoke", s.revokeTokens)
		t.Run("revoke all", s.revokeAll)
		t.Run("unknown clients", s.unknown)
		t.Run("without an answer", s.administrationCancelled)
	})
}

// register adds a client whose secret is its id.
func (s suite) register(t *testing.T, id string) {
	t.Helper()
	if err := s.Create(t.Context(), &models.Client{ClientID: id, ClientSecretHash: models.HashSecret(id), ClientName: "Name", AllowedScopes: "a b", GrantTypes: models.ClientCredentials}); err != nil {
		t.Fatal(err)
	}
}

func (s suite) update(t *testing.T) {
	s.register(t, "updated")
	name, scope, yes, ttl, none := "New", "c", true, int64(90), int64(0)
	for _, row := range []struct {
		name    string
		changes repository.Changes
		want    func(*models.Client) bool
	}{
		{"nothing", repository.Changes{}, func(c *models.Client) bool { return c.ClientName == "Name" && c.AllowedScopes == "a b" }},
		{"name", repository.Changes{Name: &name}, func(c *models.Client) bool { return c.ClientName == "New" && c.AllowedScopes == "a b" }},
		{"scope", repository.Changes{Scope: &scope}, func(c *models.Client) bool { return c.ClientName == "New" && c.AllowedScopes == "c" }},
		{"resource server", repository.Changes{ResourceServer: &yes}, func(c *models.Client) bool { return c.IsResourceServer }},
		{"lifetime", repository.Changes{TokenTTLSeconds: &ttl}, func(c *models.Client) bool { return *c.TokenTTLSeconds == 90 && c.IsResourceServer }},
		{"the server's lifetime", repository.Changes{TokenTTLSeconds: &none}, func(c *models.Client) bool { return c.TokenTTLSeconds == nil }},
	} {
		returned, err := s.Update(t.Context(), "updated", row.changes, nil)
		if err != nil || !row.want(returned) || !row.want(s.find(t, "updated")) {
			t.Errorf("%s: %+v, %v", row.name, returned, err)
		}
	}
	if client := s.find(t, "updated"); client.GrantTypes != models.ClientCredentials || !opens(client, "updated", time.Now()) {
		t.Errorf("other columns: %+v", client)
	}
}

func (s suite) disableAndEnable(t *testing.T) {
	s.register(t, "switched")
	before := time.Now()
	first, err := s.Disable(t.Context(), "switched", nil)
	if err != nil || !first.Disabled() || !first.DisabledAt.Equal(*first.TokensRevokedBefore) || !near(*first.DisabledAt, before) {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := s.Disable(t.Context(), "switched", nil)
	if err != nil || !second.DisabledAt.Equal(*first.DisabledAt) || !second.TokensRevokedBefore.After(*first.TokensRevokedBefore) {
		t.Errorf("a second time: %+v, %v", second, err)
	}
	// A node that did not know of the change yet has issued a token.
	straggler := models.AccessToken{ClientID: "switched", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	time.Sleep(time.Millisecond)
	enabled, err := s.Enable(t.Context(), "switched", nil)
	if err != nil || enabled.Disabled() || straggler.Active(enabled, time.Now()) || straggler.Active(s.find(t, "switched"), time.Now()) {
		t.Errorf("enabled: %+v, %v", enabled, err)
	}
	again, err := s.Enable(t.Context(), "switched", nil)
	if err != nil || !again.TokensRevokedBefore.Equal(*enabled.TokensRevokedBefore) {
		t.Errorf("enabled again: %+v, %v", again, err)
	}
}

// SQL that only sets disabled_at revokes no token, so enabling the client brings the tokens back.
func (s suite) enableAfterSQL(t *testing.T) {
	s.register(t, "paused")
	token := models.AccessToken{ClientID: "paused", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	s.exec(t, "UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'paused'")
	if enabled, err := s.Enable(t.Context(), "paused", nil); err != nil || !token.Active(enabled, time.Now()) || enabled.TokensRevokedBefore != nil {
		t.Errorf("%+v, %v", enabled, err)
	}
}

func (s suite) delete(t *testing.T) {
	s.register(t, "deleted")
	s.exec(t, "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('deleted', 'old', '2999-01-01 00:00:00')")
	if deleted, err := s.Delete(t.Context(), "deleted", nil); err != nil || !near(deleted, time.Now()) {
		t.Fatal(deleted, err)
	}
	s.register(t, "deleted")
	if client := s.find(t, "deleted"); len(client.RetiredSecrets) != 0 {
		t.Errorf("a new client of this id has %+v", client.RetiredSecrets)
	}
}

func (s suite) revokeTokens(t *testing.T) {
	s.register(t, "revoked")
	s.register(t, "untouched")
	issued := models.AccessToken{ClientID: "revoked", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	time.Sleep(time.Millisecond)
	changed, err := s.RevokeTokens(t.Context(), "revoked", nil)
	if err != nil || !near(*changed.TokensRevokedBefore, time.Now()) {
		t.Fatalf("%+v, %v", changed, err)
	}
	instant := *changed.TokensRevokedBefore
	client := s.find(t, "revoked")
	if !client.TokensRevokedBefore.Equal(instant) || issued.Active(client, time.Now()) {
		t.Errorf("revoked at %v: %+v", instant, client)
	}
	issued.IssuedAt = instant.Add(time.Microsecond)
	if !issued.Active(client, time.Now()) {
		t.Error("a token issued a microsecond later is inactive")
	}
	if s.find(t, "untouched").TokensRevokedBefore != nil {
		t.Error("another client is revoked too")
	}
	later, err := s.RevokeTokens(t.Context(), "revoked", nil)
	if err != nil || !later.TokensRevokedBefore.After(instant) {
		t.Errorf("a second time: %v, %v", later, err)
	}
	s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = '2999-01-01 00:00:00' WHERE client_id = 'revoked'")
	if kept, err := s.RevokeTokens(t.Context(), "revoked", nil); err != nil || kept.TokensRevokedBefore.Year() != 2999 {
		t.Errorf("an older instant overrides a newer one: %v, %v", kept, err)
	}
}

func (s suite) revokeAll(t *testing.T) {
	s.exec(t, "DELETE FROM oauth_client")
	for _, id := range []string{"never", "long ago", "by SQL", "by this program", "to come"} {
		s.register(t, id)
	}
	s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = '2020-01-01 00:00:00' WHERE client_id = 'long ago'")
	s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = CURRENT_TIMESTAMP WHERE client_id = 'by SQL'")
	s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = '2999-01-01 00:00:00' WHERE client_id = 'to come'")
	if s.dialect == migrations.SQLite {
		s.register(t, "to come in ISO 8601")
		s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = '2999-01-01T00:00:00.000Z' WHERE client_id = 'to come in ISO 8601'")
		s.register(t, "ISO 8601")
		s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE client_id = 'ISO 8601'")
	}
	if _, err := s.RevokeTokens(t.Context(), "by this program", nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	_, instant, err := s.RevokeAllTokens(t.Context())
	if err != nil || !near(instant, time.Now()) {
		t.Fatalf("%v, %v", instant, err)
	}
	clients, err := s.List(t.Context(), repository.Page{})
	if err != nil || len(clients) < 5 {
		t.Fatal(len(clients), err)
	}
	for _, client := range clients {
		later := client.ClientID == "to come" || client.ClientID == "to come in ISO 8601"
		if at := client.TokensRevokedBefore; at == nil || later != (at.Year() == 2999) || !later && !at.Equal(instant) {
			t.Errorf("%s: %v, revoked at %v", client.ClientID, at, instant)
		}
	}
}

func (s suite) unknown(t *testing.T) {
	for _, id := range []string{"nobody", "", "a\x00b", "a\xffb"} {
		for name, err := range s.administer(t.Context(), id) {
			if !errors.Is(err, models.ErrClientNotFound) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
}

func (s suite) administrationCancelled(t *testing.T) {
	s.register(t, "cancelled")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs := s.administer(ctx, "cancelled")
	_, _, errs["revoke all"] = s.RevokeAllTokens(ctx)
	for name, err := range errs {
		if !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrClientNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.find(t, "cancelled")
}

// administer calls every method that changes a client, and returns the errors.
func (s suite) administer(ctx context.Context, id string) map[string]error {
	_, update := s.Update(ctx, id, repository.Changes{}, nil)
	_, disable := s.Disable(ctx, id, nil)
	_, enable := s.Enable(ctx, id, nil)
	_, _, rotate := s.RotateSecret(ctx, id, repository.Rotation{SecretHash: "x"}, nil)
	_, revoke := s.RevokeTokens(ctx, id, nil)
	_, remove := s.Delete(ctx, id, nil)
	return map[string]error{"update": update, "disable": disable, "enable": enable, "rotate": rotate, "revoke": revoke, "delete": remove}
}

// opens reports whether the secret authenticates the client at this time.
func opens(client *models.Client, secret string, at time.Time) bool {
	_, err := client.Authenticate(models.SecretBasic, secret, at)
	return err == nil
}

func near(instant, now time.Time) bool {
	return instant.Sub(now).Abs() < 10*time.Second
}
