package repository_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chit/migrations"
	"chit/models"
)

// On the schema of an earlier version, clients are found with everything that it has.
func TestFindOnEarlierSchemas(t *testing.T) {
	s := opened(t, migrations.PostgreSQL)
	s.exec(t, `INSERT INTO oauth_client (client_id, allowed_scopes, jwks_uri, token_endpoint_auth_method, resource, dpop_bound_access_tokens)
		VALUES ('job', 'a', 'https://job.example/keys', 'private_key_jwt', 'https://one.example', true)`)
	s.exec(t, "INSERT INTO oauth_client_federation (client_id, issuer, subject, audience) VALUES ('job', 'https://a.example', 'b', 'c')")
	if c := s.find(t, "job"); c.Resource != "https://one.example" || !c.DPoPBound || len(c.Federations) != 1 {
		t.Errorf("at first: %+v", c)
	}
	steps, err := filepath.Glob("../migrations/postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	back := func(step string) {
		t.Helper()
		i := slices.IndexFunc(steps, func(name string) bool { return strings.Contains(name, step) })
		text, err := os.ReadFile(steps[i])
		if err != nil {
			t.Fatal(err)
		}
		_, down, _ := strings.Cut(string(text), "-- +goose Down")
		s.exec(t, down)
	}
	back("bound_tokens")
	if c := s.find(t, "job"); c.Resource != "" || c.DPoPBound || c.AuthMethod != models.PrivateKeyJWT || len(c.Federations) != 1 || c.FederationsErr != nil {
		t.Errorf("without what tokens are bound to: %+v", c)
	}
	back("strong_clients")
	if c := s.find(t, "job"); c.AllowedScopes != "a" || c.AuthMethod != models.AnySecret || !errors.Is(c.FederationsErr, models.ErrSchema) {
		t.Errorf("without strong authentication: %+v", c)
	}
}
