package cli_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// Destructive commands ask first, and only go on after a clear yes.
func TestDestructiveCommandsAsk(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL}
	for _, row := range []struct {
		args, question, types string
		done                  bool
	}{
		{"token revoke --client billing-job", `Revoke all tokens of client "billing-job"?`, "\n", false},
		{"token revoke --client billing-job", `Revoke all tokens of client "billing-job"?`, "yess\n", false},
		{"token revoke --client billing-job", `Revoke all tokens of client "billing-job"?`, "\x04", false},
		{"token revoke --client billing-job", `Revoke all tokens of client "billing-job"?`, "y\n", true},
		{"token revoke --all", `Revoke all tokens of all clients?`, "n\n", false},
		{"token revoke --all", `Revoke all tokens of all clients?`, " YES \n", true},
		{"client rotate-secret billing-job --revoke-tokens", `Give client "billing-job" a new secret, end the old one at once and revoke all its tokens?`, "no\n", false},
		{"client rotate-secret billing-job --revoke-tokens", `Give client "billing-job" a new secret, end the old one at once and revoke all its tokens?`, "Yes\n", true},
		{"client rotate-secret billing-job --revoke-tokens --overlap 1h", `Give client "billing-job" a new secret and revoke all its tokens?`, "no\n", false},
		{"client rotate-secret billing-job --overlap 0s", `Give client "billing-job" a new secret and end the old one at once?`, "no\n", false},
		{"client rotate-secret billing-job --overlap 0s", `Give client "billing-job" a new secret and end the old one at once?`, "y\n", true},
		{"client disable billing-job", `Disable client "billing-job" and revoke all its tokens?`, "\n", false},
		{"client disable billing-job", `Disable client "billing-job" and revoke all its tokens?`, "y\n", true},
		{"client delete billing-job", `Delete client "billing-job" and revoke all its tokens?`, "nein\n", false},
		{"client delete billing-job", `Delete client "billing-job" and revoke all its tokens?`, "y\n", true},
	} {
		t.Run(row.args+" "+strings.TrimSpace(row.types), func(t *testing.T) {
			apptest.Psql(t, database, "DELETE FROM oauth_client; INSERT INTO oauth_client (client_id) VALUES ('billing-job')")
			before := apptest.Psql(t, database, "SELECT * FROM oauth_client")
			got := answering(t, env, row.types, strings.Fields(row.args)...)
			if changed := apptest.Psql(t, database, "SELECT * FROM oauth_client") != before; changed != row.done {
				t.Errorf("done: %t", changed)
			}
			if !strings.HasPrefix(got.Stderr, row.question+" [y/N] ") {
				t.Errorf("it asks %q", got.Stderr)
			}
			if row.done != (got.Status == 0) || !row.done && (got.Status != 1 || !strings.HasSuffix(got.Stderr, "chit: nothing was done\n") || got.Stdout != "") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// answering runs a command at a terminal, and types after the command has asked.
func answering(t *testing.T, env []string, types string, args ...string) apptest.Result {
	t.Helper()
	person, terminal := pseudoTerminal(t)
	cmd := apptest.ChitCommand(t, env, args...)
	var stdout bytes.Buffer
	var stderr apptest.Output
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it has ended, unless the test failed
	apptest.Eventually(t, 10*time.Second, "it asks", func() bool { return strings.Contains(stderr.String(), "? [y/N] ") || cmd.ProcessState != nil })
	if _, err := io.WriteString(person, types); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at below
	return apptest.Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.ProcessState.ExitCode()}
}

// The prompt for a token does not show it, as for a secret.
func TestTokenFromATerminal(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}
	token := apptest.StartChit(t, env).Token(demo, demoSecret)
	person, terminal := pseudoTerminal(t)
	cmd := apptest.ChitCommand(t, env, "token", "revoke", "--token", "-")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it has ended, unless the test failed
	apptest.Eventually(t, 10*time.Second, "the terminal does not echo", func() bool { return !echoes(t, person) })
	if _, err := io.WriteString(person, token+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stderr.String() != "Token: \n" || !strings.HasSuffix(stdout.String(), " of "+demo+" is revoked\n") {
		t.Errorf("%v: %s%s", err, &stdout, &stderr)
	}
}

// On a terminal, long work shows its progress and leaves a clean screen.
func TestRevocationShowsProgress(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	person, terminal := pseudoTerminal(t)
	cmd := apptest.ChitCommand(t, r.env, "token", "revoke", "--client", "billing-job", "--yes")
	var stdout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &stdout, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	screen, _ := io.ReadAll(person) // it ends with an error when nobody holds the other end
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(screen), "billing-job") || !strings.Contains(string(screen), "/5000") {
		t.Errorf("the terminal shows %q", screen)
	}
	if !strings.HasSuffix(string(screen), "\r") || !strings.HasPrefix(stdout.String(), "the tokens of billing-job are inactive") {
		t.Errorf("it leaves %q, and says %q", screen, stdout.String())
	}
}
