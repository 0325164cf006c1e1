package cli_test

import (
	"bufio"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// If the output cannot be written, the command says so and fails.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full: skipped")
	}
	env := []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}
	apptest.Create(t, env, "billing-job")
	for _, row := range []struct{ command, says string }{
		{"client create other", "client other is registered, but its secret could not be printed and is lost: give it a new one with `chit client rotate-secret other`: "},
		{"client create another -o json", "client another is registered, but its secret could not be printed"},
		{"client rotate-secret billing-job", "the secret of billing-job is changed, but the new one could not be printed and is lost: run the command again: "},
		{"client rotate-secret billing-job --revoke-tokens --yes", "the secret of billing-job is changed, but the new one could not be printed"},
		{"client list", ""},
		{"client show billing-job", ""},
		{"client update billing-job --name x", ""},
		{"client disable billing-job --yes", ""},
		{"client delete billing-job --yes -o json", ""},
		{"migrate status", ""},
		{"migrate up", ""},
		{"version", ""},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := apptest.ChitCommand(t, env, strings.Fields(row.command)...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run() // the test checks its status
		full.Close()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), row.says) || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%s: status %d, %s", row.command, cmd.ProcessState.ExitCode(), &stderr)
		}
	}
}

// The new secret is printed before the command waits for anything, and SIGHUP ends the wait in order.
func TestHangUpDuringARotation(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL}
	apptest.Create(t, env, "billing-job")
	cmd := apptest.ChitCommand(t, env, "client", "rotate-secret", "billing-job", "--revoke-tokens", "--yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the header
	lines.Scan()
	_, secret, _ := strings.Cut(strings.TrimSpace(lines.Text()), "  ")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the test checks its status
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "the secret is changed") {
		t.Errorf("%v: %s", cmd.ProcessState, &stderr)
	}
	p := apptest.StartChit(t, env)
	p.Token("billing-job", secret)
}

// A token in the wrong place on the command line is not repeated in the error.
func TestMisplacedSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	const token = "chit_MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIYTEMZUGU3DAAAAAAA"
	for _, args := range [][]string{
		{"token", "inspect", token}, {"token", "revoke", token}, {"token", "inspect", "--id", token}, {"token", "inspect", "--token", token},
		{"token", "inspect", "--tokn=" + token}, {"hash-secret", "My-S3cret!"}, {"hash-secret", "a-very-long-pass-phrase-of-words"}, {token},
		{"client", "create", "billing-job", token}, {"client", "show", "billing-job", "--scope", token},
	} {
		got := apptest.Chit(t, []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}, args...)
		for _, secret := range []string{token, token[5:40], "My-S3cret", "pass-phrase"} {
			if got.Status != 2 || strings.Contains(got.Stdout+got.Stderr, secret) {
				t.Errorf("%q: %+v", args, got)
			}
		}
	}
}

// A server that fails to start because its port is taken does not disturb the running one.
func TestSecondEmbeddedServerOnATakenPort(t *testing.T) {
	t.Parallel()
	e := embeddedTokens{t, t.TempDir() + "/chit.db"}
	first := apptest.StartChit(t, e.env())
	first.Token(demo, demoSecret)
	second := apptest.LaunchChit(t, append(e.env(), "CHIT_LISTEN="+strings.TrimPrefix(first.URL, "http://")))
	if state := second.Ended(10 * time.Second); state.ExitCode() != 1 {
		t.Fatalf("%v: %s", state, second.Stderr.String())
	}
	if e.listed() != 1 {
		t.Error("the commands do not find the first one's tokens any more")
	}
}
