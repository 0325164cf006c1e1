package repository_test

import (
	"testing"
	"time"

	"chit/app/apptest"
	"chit/migrations"
	"chit/models"
	"chit/repository"
)

func onPostgreSQL(t *testing.T) (*repository.Clients, string) {
	t.Helper()
	url := apptest.Database(t)
	clients, err := repository.OpenPostgreSQL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.Close() })
	if _, err := migrations.Up(t.Context(), clients.DB(), migrations.PostgreSQL); err != nil {
		t.Fatal(err)
	}
	return clients, url
}

// The timestamp infinity can be read, and stays the same when another column is changed.
func TestInfinity(t *testing.T) {
	clients, url := onPostgreSQL(t)
	apptest.Psql(t, url, `INSERT INTO oauth_client (client_id, client_secret_hash, tokens_revoked_before, disabled_at) VALUES
		('revoked', 'x', 'infinity', NULL), ('never', 'x', '-infinity', NULL), ('disabled', 'x', NULL, 'infinity'), ('disabled ever', 'x', NULL, '-infinity');
		INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at, last_used_at) VALUES
		('never', '`+models.HashSecret("for ever")+`', 'infinity', 'infinity'), ('never', '`+models.HashSecret("expired")+`', '-infinity', '-infinity')`)
	token := func(id string) models.AccessToken {
		return models.AccessToken{ClientID: id, IssuedAt: time.Now().Add(-time.Second), ExpiresAt: time.Now().Add(time.Hour)}
	}
	all, err := clients.List(t.Context(), repository.Page{})
	if err != nil || len(all) != 4 {
		t.Fatalf("list: %d, %v", len(all), err)
	}
	for id, active := range map[string]bool{"revoked": false, "never": true, "disabled": false, "disabled ever": false} {
		client, err := clients.Find(t.Context(), id)
		if err != nil {
			t.Errorf("find: %v", err)
			continue
		}
		if got := token(id).Active(client, time.Now()); got != active {
			t.Errorf("a token of %s is active: %t", id, got)
		}
	}
	never, err := clients.Find(t.Context(), "never")
	if err != nil || !opens(never, "for ever", time.Now()) || opens(never, "expired", time.Now()) {
		t.Errorf("retired secrets: %+v, %v", never, err)
	}
	name := "new"
	for _, id := range []string{"revoked", "never", "disabled"} {
		if _, err := clients.Update(t.Context(), id, repository.Changes{Name: &name}, nil); err != nil {
			t.Errorf("update %s: %v", id, err)
		}
	}
	kept := apptest.Psql(t, url, "SELECT client_id, client_name, tokens_revoked_before, disabled_at FROM oauth_client ORDER BY client_id LIMIT 1; SELECT client_id, client_name, tokens_revoked_before FROM oauth_client WHERE client_id IN ('never', 'revoked') ORDER BY client_id")
	if kept != "disabled|new||infinity\nnever|new|-infinity\nrevoked|new|infinity" {
		t.Errorf("after an update: %s", kept)
	}
	if revoked, err := clients.RevokeTokens(t.Context(), "revoked", nil); err != nil || !revoked.TokensRevokedBefore.Equal(models.Infinity) {
		t.Errorf("revoke: %v, %v", revoked, err)
	}
	if _, _, err := clients.RevokeAllTokens(t.Context()); err != nil {
		t.Errorf("revoke all: %v", err)
	}
	if disabled, err := clients.Disable(t.Context(), "disabled", nil); err != nil || !disabled.Disabled() {
		t.Errorf("disable: %v", err)
	}
	if enabled, err := clients.Enable(t.Context(), "disabled", nil); err != nil || enabled.Disabled() {
		t.Errorf("enable: %v", err)
	}
}

// The time of a revocation of all tokens is read after all rows are locked. Tokens that were issued while
// it waited for a lock are revoked, too.
func TestRevokeAllReadsTheClockWhenRowsAreLocked(t *testing.T) {
	clients, url := onPostgreSQL(t)
	apptest.Psql(t, url, "INSERT INTO oauth_client (client_id) VALUES ('a'), ('b'), ('c')")
	locked := make(chan struct{})
	released := make(chan time.Time, 1)
	go func() {
		tx, err := clients.DB().Begin()
		if err == nil {
			_, err = tx.Exec("UPDATE oauth_client SET client_name = 'x' WHERE client_id = 'b'")
		}
		close(locked)
		time.Sleep(1500 * time.Millisecond)
		released <- time.Now()
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Error(err)
		}
	}()
	<-locked
	_, instant, err := clients.RevokeAllTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if until := <-released; instant.Before(until) {
		t.Errorf("the instant is %v before the last lock was released", until.Sub(instant))
	}
	if got := apptest.Psql(t, url, "SELECT count(DISTINCT tokens_revoked_before), count(tokens_revoked_before) FROM oauth_client"); got != "1|3" {
		t.Errorf("instants: %s", got)
	}
}
