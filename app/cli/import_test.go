package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"chit/app/apptest"
)

// imported is a row of the JSON output of chit client import.
type imported struct {
	ID       string `json:"client_id"`
	Imported bool
	Secret   string
	New      string `json:"client_secret"`
	LeftOut  string `json:"left_out"`
}

// example returns the path of a file of another server. Commands run in another directory.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../transfer/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func importing(t *testing.T, env []string, file string, flags ...string) (rows []imported) {
	t.Helper()
	got := apptest.Chit(t, env, append([]string{"client", "import", file, "--output=json"}, flags...)...)
	if err := json.Unmarshal([]byte(got.Stdout), &rows); err != nil || got.Status != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	return rows
}

// A file of another server is shown first, and then imported: clients with plain secrets go on working, and the
// others get new secrets.
func TestImportFromOthers(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_AUDIT_LOG=-"}
	p := apptest.StartChit(t, env)
	keycloak := example(t, "keycloak.json")
	plan := apptest.Chit(t, env, "client", "import", keycloak, "--dry-run")
	for _, text := range []string{"export      orders.read orders.write", "left out: it is public", "secret new needed", "6 clients in the file, 3 clients to import, 1 need a new secret"} {
		if !strings.Contains(plan.Stdout, text) || plan.Status != 0 {
			t.Errorf("%q is not in the plan: %+v", text, plan)
		}
	}
	if got := apptest.Chit(t, env, "client", "list"); strings.Contains(got.Stdout, "export") {
		t.Errorf("after a dry run: %s", got.Stdout)
	}
	if got := apptest.Chit(t, env, "client", "import", keycloak); got.Status != 2 || !strings.Contains(got.Stderr, "add --yes to go ahead") {
		t.Errorf("without a terminal: %+v", got)
	}
	rows := importing(t, env, keycloak, "--yes", "--new-secrets")
	if len(rows) != 6 || !rows[1].Imported || rows[1].Secret != "kept" || rows[2].New == "" || rows[0].LeftOut == "" {
		t.Errorf("%+v", rows)
	}
	if got := p.Post("/token", "export", "kY2sT1Zq", "grant_type=client_credentials&scope=orders.write"); got.Status != 200 || got.JSON()["expires_in"] != 900.0 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := apptest.Chit(t, env, "client", "enable", "masked"); got.Status != 0 {
		t.Errorf("%+v", got)
	}
	apptest.Eventually(t, apptest.Soon*10, "the new secret works", func() bool {
		return p.Post("/token", "masked", rows[2].New, "grant_type=client_credentials").Status == 200
	})
	if got := apptest.Chit(t, env, "client", "import", example(t, "hydra.json"), "--yes"); got.Status != 0 || !strings.Contains(got.Stderr, "chit: 5 clients imported\nchit: 2 clients cannot log in yet") || strings.Count(got.Stderr, `"event":"client_created"`) != 5 {
		t.Errorf("%+v", got)
	}
}

// With any fault nothing is imported, and every fault is named.
func TestImportIsWhole(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=redis://" + apptest.Nobody, "CHIT_AUDIT_LOG=-"}
	apptest.Create(t, env, "taken")
	file := apptest.File(t, "client_id,scope,token_ttl_seconds,client_secret_hash\ngood,a,,\ntaken,,,\na b,,,\ntwice,,,\ntwice,,,\nscoped,\"a\\b\",,\nlong,,0,\nhashed,,,md5\n")
	got := apptest.Chit(t, env, "client", "import", file, "--yes")
	for _, text := range []string{
		`client "taken": its id is taken: leave such clients out with --skip-existing`, `client "a b": client_id:`, `client "twice": it is in the file twice`, `client "scoped": scope:`,
		`client "long": token_ttl_seconds: 0 is not a number`, `client "hashed": client_secret_hash: is not the base64 of a SHA-256`, "nothing was imported",
	} {
		if !strings.Contains(got.Stderr, text) || got.Status != 1 {
			t.Errorf("%q is missing: %d %s", text, got.Status, got.Stderr)
		}
	}
	if list := apptest.Chit(t, env, "client", "list"); strings.Contains(list.Stdout, "good") {
		t.Errorf("%s", list.Stdout)
	}
	rows := importing(t, env, apptest.File(t, "client_id\ngood\ntaken\n"), "--yes", "--skip-existing")
	if !rows[0].Imported || rows[1].LeftOut != "its id is taken" {
		t.Errorf("%+v", rows)
	}
	apptest.Chit(t, env, "client", "import", "/nowhere", "--yes").Fails(t, "open /nowhere: no such file or directory")
	apptest.Chit(t, env, "client", "import", apptest.File(t, "[{"), "--yes").Fails(t, "the file is not of the format hydra: line 1: unexpected end of JSON input")
}

// An export goes into another installation as it is: secrets, retired ones too, and who is disabled.
func TestExportGoesElsewhere(t *testing.T) {
	t.Parallel()
	here := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_AUDIT_LOG=-"}
	there := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_AUDIT_LOG=-"}
	first := apptest.Create(t, here, "job", "--name=Job", "--scope=a b", "--ttl=60s", "--resource-server").ClientSecret
	if got := apptest.Chit(t, here, "client", "rotate-secret", "job", "--overlap=1h"); got.Status != 0 {
		t.Fatalf("%+v", got)
	}
	apptest.Create(t, here, "off")
	if got := apptest.Chit(t, here, "client", "disable", "off", "--yes"); got.Status != 0 {
		t.Fatalf("%+v", got)
	}
	apptest.Psql(t, strings.TrimPrefix(here[0], "CHIT_DATABASE_URL="), "INSERT INTO oauth_client (client_id, client_secret_hash) SELECT 'n ' || i, 'GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4=' FROM generate_series(0, 499) i")
	exported := apptest.Chit(t, here, "client", "export")
	if exported.Status != 0 || strings.Contains(exported.Stdout, first) {
		t.Fatalf("%+v", exported)
	}
	got := apptest.ChitWith(t, exported.Stdout, there, "client", "import", "-", "--yes")
	if got.Status != 0 || !strings.Contains(got.Stderr, "chit: 502 clients imported\n") {
		t.Fatalf("%+v", got)
	}
	if again := apptest.Chit(t, there, "client", "export"); again.Stdout != exported.Stdout {
		t.Error("the export of what was imported is another")
	}
	p := apptest.StartChit(t, there)
	if p.Token("job", first) == "" || p.Token("n 499", "my-secret") == "" {
		t.Error("a secret does not work")
	}
	if got := p.Post("/token", "off", "x", "grant_type=client_credentials"); got.Status != 401 {
		t.Errorf("%d", got.Status)
	}
}
