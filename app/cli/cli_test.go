package cli_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"chit/app"
	"chit/app/apptest"
	"chit/repository"
)

// TestCommands runs the scripts in testdata. In addition to the commands of testscript they have:
//
//	status N program args…    the program must exit with status N
//	database                  CHIT_DATABASE_URL names a new, empty PostgreSQL database
func TestCommands(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Values["t"] = env.T()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": exitsWith,
			"database": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Setenv("CHIT_DATABASE_URL", apptest.Database(ts.Value("t").(testing.TB)))
			},
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

var secretFormat = regexp.MustCompile(`^chits_[A-Z2-7]{59}$`)

// The names are those of RFC 7591, where it has them.
func TestClientCreatePrintsExactlyTheseMembers(t *testing.T) {
	t.Parallel()
	got := apptest.Chit(t, nil, "client", "create", "billing-job", "--name=Billing job", "--scope=b a  b", "--ttl=15m", "--resource-server", "-o", "json")
	members := map[string]any{}
	if err := json.Unmarshal([]byte(got.Stdout), &members); err != nil {
		t.Fatalf("%v: %s%s", err, got.Stdout, got.Stderr)
	}
	if secret, _ := members["client_secret"].(string); !secretFormat.MatchString(secret) {
		t.Errorf("client_secret %q", secret)
	}
	if at, _ := members["client_id_issued_at"].(float64); at < 1e9 {
		t.Errorf("client_id_issued_at %v", members["client_id_issued_at"])
	}
	maps.DeleteFunc(members, func(name string, _ any) bool { return name == "client_secret" || name == "client_id_issued_at" })
	want := map[string]any{
		"client_id": "billing-job", "client_name": "Billing job", "scope": "b a", "grant_types": []any{"client_credentials"},
		"is_public": false, "is_resource_server": true, "token_ttl_seconds": 900., "client_secret_expires_at": 0.,
	}
	if !reflect.DeepEqual(members, want) {
		t.Errorf("got %v, want %v", members, want)
	}
}

// The secret is printed once, and only its hash is stored.
func TestClientSecretIsKeptAsItsHash(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/chit.db"
	env := []string{"CHIT_EMBEDDED_DATABASE=" + file}
	got := apptest.Chit(t, env, "client", "create", "billing-job")
	fields := strings.Fields(got.Stdout)
	if want := []string{"CLIENT_ID", "CLIENT_SECRET", "billing-job"}; len(fields) != 4 || !slices.Equal(fields[:3], want) || !secretFormat.MatchString(fields[3]) {
		t.Fatalf("client create: %s%s", got.Stdout, got.Stderr)
	}
	secret := fields[3]
	clients, err := repository.OpenSQLite(file)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	client, err := clients.Find(t.Context(), "billing-job")
	if err != nil {
		t.Fatal(err)
	}
	if hash := apptest.ChitWith(t, secret, nil, "hash-secret").Stdout; hash != client.ClientSecretHash+"\n" {
		t.Errorf("the database holds %q, hash-secret says %q", client.ClientSecretHash, hash)
	}
	for _, format := range []string{"table", "json"} {
		list := apptest.Chit(t, env, "client", "list", "--output", format)
		if !strings.Contains(list.Stdout, "billing-job") || strings.Contains(list.Stdout, secret) || strings.Contains(list.Stdout, client.ClientSecretHash) {
			t.Errorf("client list --output %s: %s", format, list.Stdout)
		}
	}
}

// A registered client gets tokens from the server, with its own lifetime and prefix.
func TestRegisteredClientGetsTokens(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL, "CHIT_TOKEN_PREFIX=acme"}
	p := apptest.StartChit(t, env)
	client := apptest.Create(t, env, "billing-job", "--scope=read", "--ttl=90s")
	if !regexp.MustCompile(`^acmes_[A-Z2-7]{59}$`).MatchString(client.ClientSecret) {
		t.Errorf("secret %q", client.ClientSecret)
	}
	answer := p.Post("/token", client.ClientID, client.ClientSecret, tokenPlease)
	if answer.JSON()["expires_in"] != 90. || answer.Text("scope") != "read" || !strings.HasPrefix(answer.Text("access_token"), "acme_") {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// The help of chit serve shows every setting as a flag and as a variable.
func TestHelpShowsEverySettingAsFlagAndVariable(t *testing.T) {
	t.Parallel()
	help := apptest.Chit(t, nil, "serve", "--help").Stdout
	settings := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[app.Config]()) {
		variable, ok := field.Tag.Lookup("env")
		if !ok {
			continue
		}
		settings++
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "CHIT_")), "_", "-") + "="
		if !strings.Contains(help, flag) || !strings.Contains(help, "($"+variable+")") {
			t.Errorf("%s and %s are not both in the help", flag, variable)
		}
	}
	if settings < 10 {
		t.Errorf("only %d settings found in the struct", settings)
	}
}
