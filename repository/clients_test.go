package repository_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/migrations"
	"chit/models"
	"chit/repository"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// databases are the kinds of database that the conformance suite runs on.
var databases = map[migrations.Dialect]func(*testing.T) (*repository.Clients, error){
	migrations.SQLite: func(t *testing.T) (*repository.Clients, error) {
		return repository.OpenSQLite(filepath.Join(t.TempDir(), "odd ?&#%41 name.db"))
	},
	migrations.PostgreSQL: func(t *testing.T) (*repository.Clients, error) {
		return repository.OpenPostgreSQL(apptest.Database(t))
	},
}

// onEachDatabase runs the test on a new database of each kind, with the schema.
func onEachDatabase(t *testing.T, test func(*testing.T, suite)) {
	for dialect := range databases {
		t.Run(string(dialect), func(t *testing.T) { test(t, opened(t, dialect)) })
	}
}

// opened opens a new database with the schema, and closes it when the test ends.
func opened(t *testing.T, dialect migrations.Dialect) suite {
	t.Helper()
	clients, err := databases[dialect](t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.Close() })
	if _, err := migrations.Up(t.Context(), clients.DB(), dialect); err != nil {
		t.Fatal(err)
	}
	return suite{clients, dialect}
}

func TestClients(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s suite) {
		t.Run("the operators' INSERT", s.operatorsInsert)
		t.Run("every column", s.everyColumn)
		t.Run("instants by SQL", s.instants)
		t.Run("ids", s.ids)
		t.Run("create and list", s.createAndList)
		t.Run("pages", s.pages)
		t.Run("sorted", s.sorted)
		t.Run("retired secrets", s.retiredSecrets)
		t.Run("updated_at", s.updatedAt)
		t.Run("constraints", s.constraints)
		t.Run("cancelled", s.cancelled)
	})
}

type suite struct {
	*repository.Clients
	dialect migrations.Dialect
}

func (s suite) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.DB().ExecContext(t.Context(), sql); err != nil {
		t.Fatalf("%v: %s", err, sql)
	}
}

func (s suite) find(t *testing.T, id string) *models.Client {
	t.Helper()
	client, err := s.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// This statement is documented for operators and must work as it stands.
func (s suite) operatorsInsert(t *testing.T) {
	if _, err := s.Find(t.Context(), "my-machine-client"); !errors.Is(err, models.ErrClientNotFound) {
		t.Fatalf("before: %v", err)
	}
	s.exec(t, `    INSERT INTO oauth_client (client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public)
    VALUES ('my-machine-client', '<base64(SHA-256(secret))>', 'Machine Client', '', 'openid profile', 'client_credentials', false);`)
	client := s.find(t, "my-machine-client")
	if client.ClientSecretHash != "<base64(SHA-256(secret))>" || client.ClientName != "Machine Client" || client.RedirectURIs != "" ||
		client.AllowedScopes != "openid profile" || client.GrantTypes != "client_credentials" || client.IsPublic {
		t.Errorf("its columns: %+v", client)
	}
	if client.IsResourceServer || client.TokenTTLSeconds != nil || client.DisabledAt != nil || client.TokensRevokedBefore != nil {
		t.Errorf("the defaults: %+v", client)
	}
	if age := time.Since(client.CreatedAt); age < -time.Minute || age > time.Minute || !client.UpdatedAt.Equal(client.CreatedAt) {
		t.Errorf("created %v, updated %v", client.CreatedAt, client.UpdatedAt)
	}
}

func (s suite) everyColumn(t *testing.T) {
	s.exec(t, `INSERT INTO oauth_client VALUES ('full', 'hash', 'Full', 'uri', 'a b', 'x,y', true, true, 900,
		'2026-11-23 12:00:00.123456', '2026-11-23 13:00:00', '2026-01-01 00:00:00', '2026-01-02 00:00:00',
		'private_key_jwt', '{"keys":[]}', NULL, 'CN=job', 'job.example', 'spiffe://example/job',
		true, true, 'https://one.example https://two.example', 'https://three.example')`)
	client := s.find(t, "full")
	if !client.IsPublic || !client.IsResourceServer || *client.TokenTTLSeconds != 900 || client.RedirectURIs != "uri" || client.GrantTypes != "x,y" {
		t.Errorf("%+v", client)
	}
	if client.AuthMethod != models.PrivateKeyJWT || client.JWKS != `{"keys":[]}` || client.JWKSURI != "" ||
		client.TLSSubjectDN != "CN=job" || client.TLSSANDNS != "job.example" || client.TLSSANURI != "spiffe://example/job" {
		t.Errorf("%+v", client)
	}
	if !client.CertificateBound || !client.DPoPBound || client.AllowedResources != "https://one.example https://two.example" || client.Resource != "https://three.example" {
		t.Errorf("%+v", client)
	}
	if want := time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC); !client.DisabledAt.Equal(want) {
		t.Errorf("disabled_at %v, want %v", client.DisabledAt, want)
	}
	if want := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC); !client.TokensRevokedBefore.Equal(want) {
		t.Errorf("tokens_revoked_before %v, want %v", client.TokensRevokedBefore, want)
	}
}

// Times that SQL functions produce are read correctly, in every form of text.
func (s suite) instants(t *testing.T) {
	now := map[migrations.Dialect][]string{
		migrations.SQLite:     {"CURRENT_TIMESTAMP", "datetime('now')", "strftime('%Y-%m-%d %H:%M:%f', 'now')", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"},
		migrations.PostgreSQL: {"CURRENT_TIMESTAMP", "now()", "clock_timestamp()", "now() AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'"},
	}
	s.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('instants')")
	for _, expression := range now[s.dialect] {
		s.exec(t, "UPDATE oauth_client SET tokens_revoked_before = "+expression+" WHERE client_id = 'instants'")
		if age := time.Since(*s.find(t, "instants").TokensRevokedBefore); age < -time.Second || age > 2*time.Second {
			t.Errorf("%s is %v ago", expression, age)
		}
	}
}

func (s suite) ids(t *testing.T) {
	s.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('größe'), ('"+strings.Repeat("é", 255)+"'), (' spaced ')")
	for _, id := range []string{"größe", strings.Repeat("é", 255), " spaced "} {
		s.find(t, id)
	}
	for _, id := range []string{"", "a\x00b", "a\xffb", strings.Repeat("a", 256), "GRÖSSE", "spaced", "%", "' OR ''='"} {
		if _, err := s.Find(t.Context(), id); !errors.Is(err, models.ErrClientNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func (s suite) createAndList(t *testing.T) {
	s.exec(t, "DELETE FROM oauth_client")
	ttl := int64(90)
	for _, id := range []string{"b", "a"} {
		client := &models.Client{ClientID: id, ClientSecretHash: models.HashSecret(id), GrantTypes: models.ClientCredentials, TokenTTLSeconds: &ttl}
		if err := s.Create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(t.Context(), &models.Client{ClientID: "a", ClientName: "Usurper"}); !errors.Is(err, models.ErrClientExists) {
		t.Errorf("a second time: %v", err)
	}
	list, err := s.List(t.Context(), repository.Page{})
	if err != nil || len(list) != 2 || list[0].ClientID != "a" || list[1].ClientID != "b" || list[0].ClientName != "" {
		t.Errorf("list %+v, %v", list, err)
	}
	if client := s.find(t, "a"); *client.TokenTTLSeconds != 90 || client.ClientSecretHash != models.HashSecret("a") {
		t.Errorf("found %+v", client)
	}
}

// Retired secrets are deleted with their client. A later client with the same id has none.
func (s suite) retiredSecrets(t *testing.T) {
	endings := map[string]string{
		"deleted":  "DELETE FROM oauth_client WHERE client_id = 'retiring'",
		"renamed":  "UPDATE oauth_client SET client_id = 'renamed' WHERE client_id = 'retiring'",
		"all gone": "DELETE FROM oauth_client",
	}
	if s.dialect == migrations.SQLite {
		endings["replaced"] = "INSERT OR REPLACE INTO oauth_client (client_id) VALUES ('retiring')"
	}
	if s.dialect == migrations.PostgreSQL {
		endings["truncated"] = "TRUNCATE oauth_client"
	}
	for name, end := range endings {
		s.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('retiring'), ('staying "+name+"')")
		s.exec(t, "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('retiring', 'one', '2999-01-01 00:00:00'), ('retiring', 'two', CURRENT_TIMESTAMP), ('staying "+name+"', 'one', CURRENT_TIMESTAMP)")
		s.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('retiring') ON CONFLICT (client_id) DO UPDATE SET client_name = 'upserted'")
		s.exec(t, "UPDATE oauth_client SET client_id = client_id, client_name = 'touched' WHERE client_id = 'retiring'")
		if retired := s.find(t, "retiring").RetiredSecrets; len(retired) != 2 || retired[0].ExpiresAt.Equal(retired[1].ExpiresAt) {
			t.Errorf("%s: has %+v", name, retired)
		}
		s.exec(t, end)
		s.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('retiring') ON CONFLICT DO NOTHING")
		if retired := s.find(t, "retiring").RetiredSecrets; len(retired) != 0 {
			t.Errorf("%s: still has %+v", name, retired)
		}
		if staying, err := s.Find(t.Context(), "staying "+name); err == nil && len(staying.RetiredSecrets) != 1 {
			t.Errorf("%s: the other client has %+v", name, staying.RetiredSecrets)
		}
		s.exec(t, "DELETE FROM oauth_client")
	}
}

func (s suite) updatedAt(t *testing.T) {
	s.exec(t, "INSERT INTO oauth_client (client_id, created_at, updated_at) VALUES ('touched', '2020-01-01 00:00:00', '2020-01-01 00:00:00')")
	s.exec(t, "UPDATE oauth_client SET client_name = 'x' WHERE client_id = 'touched'")
	if client := s.find(t, "touched"); time.Since(client.UpdatedAt) > time.Minute || client.CreatedAt.Year() != 2020 {
		t.Errorf("created %v, updated %v", client.CreatedAt, client.UpdatedAt)
	}
}

// The database itself refuses rows that make no sense.
func (s suite) constraints(t *testing.T) {
	for _, sql := range []string{
		"INSERT INTO oauth_client (client_id) VALUES ('')",
		"INSERT INTO oauth_client (client_id) VALUES (NULL)",
		"INSERT INTO oauth_client (client_id) VALUES ('" + strings.Repeat("a", 256) + "')",
		"INSERT INTO oauth_client (client_id, token_ttl_seconds) VALUES ('x', 0)",
		"INSERT INTO oauth_client (client_id, token_ttl_seconds) VALUES ('x', -1)",
		"INSERT INTO oauth_client (client_id, token_ttl_seconds) VALUES ('x', 3000000000)",
		"INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('x', NULL)",
		"INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('x', '', CURRENT_TIMESTAMP)",
	} {
		if _, err := s.DB().ExecContext(t.Context(), sql); err == nil {
			t.Errorf("taken: %s", sql)
		}
	}
}

func (s suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, findErr := s.Find(ctx, "a")
	_, listErr := s.List(ctx, repository.Page{})
	for name, err := range map[string]error{"find": findErr, "list": listErr, "create": s.Create(ctx, &models.Client{ClientID: "c"}), "ping": s.Ping(ctx)} {
		if !errors.Is(err, models.ErrUnavailable) || errors.Is(err, models.ErrClientNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOutageIsNotAnAnswer(t *testing.T) {
	postgres := apptest.StartPostgreSQL(t)
	clients, err := repository.OpenPostgreSQL(postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	postgres.Stop()
	if _, err := clients.Find(t.Context(), "a"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("stopped: %v", err)
	}
	postgres.Start()
	if _, err := clients.Find(t.Context(), "a"); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("without its table: %v", err)
	}
}

// The first host of the URL is down, so the second one is used.
func TestSeveralHosts(t *testing.T) {
	address, err := url.Parse(apptest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	address.Host = "127.0.0.1:1," + address.Host
	clients, err := repository.OpenPostgreSQL(address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	if err := clients.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
