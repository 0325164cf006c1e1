package admin_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"chit/admin"
	"chit/migrations"
	"chit/models"
	"chit/repository"
	"chit/tokens"
)

// office has actions on a new database and Redis, and their audit trail.
type office struct {
	admin.Actions
	redis *miniredis.Miniredis
	trail *bytes.Buffer
}

func open(t *testing.T) *office {
	t.Helper()
	clients, err := repository.OpenSQLite(t.TempDir() + "/chit.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.Close() })
	if _, err := migrations.Up(t.Context(), clients.DB(), migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	o := &office{redis: miniredis.RunT(t), trail: new(bytes.Buffer)}
	client := redis.NewClient(&redis.Options{Addr: o.redis.Addr(), MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	handler := slog.NewJSONHandler(o.trail, nil)
	o.Actions = admin.Actions{
		Clients:  clients,
		Tokens:   &tokens.Store{Redis: client, Prefix: "chit", Now: time.Now},
		Prefix:   "chit",
		Operator: admin.Operator{Name: "ops", Details: []slog.Attr{slog.String("request_id", "r1")}},
		Trail:    func(ctx context.Context, record slog.Record) { _ = handler.Handle(ctx, record) },
	}
	return o
}

// client registers a client with this id and two tokens.
func (o *office) client(t *testing.T, id string) (secret string, issued []models.AccessToken) {
	t.Helper()
	_, secret, err := o.Register(t.Context(), admin.Registration{ClientID: &id, Scope: "a b"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, token, err := o.Tokens.Issue(t.Context(), models.Grant{ClientID: id, Scope: "a", TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		issued = append(issued, token)
	}
	return secret, issued
}

// keys returns the number of tokens in Redis.
func (o *office) keys() (count int) {
	for _, key := range o.redis.Keys() {
		if strings.HasPrefix(key, "oauth:token:") {
			count++
		}
	}
	return count
}

func (o *office) find(t *testing.T, id string) *models.Client {
	t.Helper()
	client, err := o.Clients.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func noProgress(string, int, int) {}

func TestRegistrationReportsEveryFault(t *testing.T) {
	o := open(t)
	id, ttl := "a:b", int64(0)
	_, _, err := o.Register(t.Context(), admin.Registration{ClientID: &id, ClientName: "\x00", Scope: `a"b`, GrantTypes: []string{"password"}, TokenTTLSeconds: &ttl})
	var faults admin.Invalid
	if !errors.As(err, &faults) {
		t.Fatalf("%v", err)
	}
	var fields []string
	for _, fault := range faults {
		fields = append(fields, fault.Field)
	}
	if got := strings.Join(fields, " "); got != "client_id client_name scope grant_types token_ttl_seconds" {
		t.Errorf("faults of %s", got)
	}
	if o.trail.Len() != 0 {
		t.Errorf("noted: %s", o.trail)
	}
}

func TestRegistrationWithoutAnIDGetsARandomOne(t *testing.T) {
	o := open(t)
	ids := map[string]bool{}
	for range 2 {
		client, secret, err := o.Register(t.Context(), admin.Registration{})
		if err != nil || !regexp.MustCompile(`^[a-z2-7]{26}$`).MatchString(client.ClientID) || client.ClientSecretHash != models.HashSecret(secret) {
			t.Fatalf("%+v, %v", client, err)
		}
		ids[client.ClientID] = true
	}
	if len(ids) != 2 {
		t.Errorf("%v", ids)
	}
}

// An action on a version of a client changes nothing if the client is in another version.
func TestActionsOnAnOldVersion(t *testing.T) {
	o := open(t)
	o.client(t, "billing-job")
	seen := o.find(t, "billing-job").Version()
	name := "new"
	if _, err := o.Update(t.Context(), "billing-job", admin.Changes{ClientName: &name}); err != nil {
		t.Fatal(err)
	}
	before := o.trail.Len()
	stale := o.Actions
	stale.Versions = []string{"another", seen}
	_, update := stale.Update(t.Context(), "billing-job", admin.Changes{})
	_, disable := stale.Disable(t.Context(), "billing-job")
	_, enable := stale.Enable(t.Context(), "billing-job")
	_, rotate := stale.Rotate(t.Context(), "billing-job", admin.Rotation{})
	_, revoke := stale.RevokeTokens(t.Context(), "billing-job")
	_, remove := stale.Delete(t.Context(), "billing-job")
	for action, err := range map[string]error{"update": update, "disable": disable, "enable": enable, "rotate": rotate, "revoke": revoke, "delete": remove} {
		if !errors.Is(err, admin.ErrChanged) {
			t.Errorf("%s: %v", action, err)
		}
	}
	client := o.find(t, "billing-job")
	if client.Disabled() || client.TokensRevokedBefore != nil || client.ClientName != "new" || o.trail.Len() != before {
		t.Errorf("%+v, %s", client, o.trail)
	}
	stale.Versions = []string{"another", client.Version()}
	if _, err := stale.Delete(t.Context(), "billing-job"); err != nil {
		t.Errorf("in the present version: %v", err)
	}
}

// Every action is in the audit trail with who, what, on whom, before and after, and without a secret.
func TestAuditTrail(t *testing.T) {
	o := open(t)
	secret, issued := o.client(t, "billing-job")
	name, scope := "Billing", "c"
	rotated, err := o.Rotate(t.Context(), "billing-job", admin.Rotation{Overlap: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, update := o.Update(t.Context(), "billing-job", admin.Changes{ClientName: &name, Scope: &scope})
	_, disable := o.Disable(t.Context(), "billing-job")
	_, enable := o.Enable(t.Context(), "billing-job")
	_, all := o.RevokeAllTokens(t.Context())
	_, remove := o.Delete(t.Context(), "billing-job")
	if err := errors.Join(update, disable, enable, all, remove, o.RevokeToken(t.Context(), issued[0])); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`"event":"client_created","operator":"ops","request_id":"r1","client_id":"billing-job","after":{"client_name":"","scope":"a b",`,
		`"event":"client_secret_rotated","operator":"ops","request_id":"r1","client_id":"billing-job","overlap":"1h0m0s"}`,
		`"event":"client_updated","operator":"ops","request_id":"r1","client_id":"billing-job","before":{"client_name":"","scope":"a b"},"after":{"client_name":"Billing","scope":"c"}}`,
		`"event":"client_disabled","operator":"ops","request_id":"r1","client_id":"billing-job","before":{"disabled_at":null,"tokens_revoked_before":null},"after":{"disabled_at":"20`,
		`"event":"client_enabled","operator":"ops"`,
		`"event":"tokens_revoked","operator":"ops","request_id":"r1","all":true,"tokens_revoked_before":"20`,
		`"event":"client_deleted","operator":"ops","request_id":"r1","client_id":"billing-job","before":{"client_name":"Billing","scope":"c",`,
		`"event":"token_revoked","operator":"ops","request_id":"r1","client_id":"billing-job","jti":"` + issued[0].ID + `","scope":"a"}`,
	} {
		if !strings.Contains(o.trail.String(), line) {
			t.Errorf("no line with %s", line)
		}
	}
	for _, hidden := range []string{secret, rotated.Secret, models.HashSecret(secret), models.HashSecret(rotated.Secret)} {
		if strings.Contains(o.trail.String(), hidden) {
			t.Errorf("a secret in the trail: %s", o.trail)
		}
	}
	if t.Failed() {
		t.Log(o.trail)
	}
}
