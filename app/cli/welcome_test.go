package cli_test

import (
	"bytes"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// The printed commands work when they are pasted into a shell.
func TestWelcomeLinesWorkAsPasted(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	for _, name := range []string{"curl", "grep", "redis-cli", "sha256sum", "cut"} {
		apptest.Tool(t, name)
	}
	p := apptest.StartChit(t, nil)
	apptest.Eventually(t, 5*time.Second, "the last line of the welcome", func() bool { return strings.Contains(p.Stdout.String(), "redis-cli") })
	var lines []string
	for line := range strings.Lines(p.Stdout.String()) {
		if command, indented := strings.CutPrefix(line, "  "); indented {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	if len(lines) != 5 {
		t.Fatalf("%d lines to paste, this test knows 5:\n%s", len(lines), p.Stdout.String())
	}
	issue, introspect, revoke, del := lines[0]+"\n"+lines[1], lines[2], lines[3], lines[4]

	out := apptest.Paste(t, bash, issue, introspect, revoke, introspect, issue, introspect, del, introspect)
	const inactive = `{"active":false}`
	first, second := out[0], out[4]
	if format := regexp.MustCompile(`^chit_[A-Z2-7]{59}$`); !format.MatchString(first) || !format.MatchString(second) || first == second {
		t.Errorf("tokens: %q, %q", first, second)
	}
	active := regexp.MustCompile(`^{"active":true,"client_id":"my-machine-client",.*}$`)
	if !active.MatchString(out[1]) || !active.MatchString(out[5]) {
		t.Errorf("introspection of fresh tokens: %q, %q", out[1], out[5])
	}
	if out[2] != "" || out[3] != inactive {
		t.Errorf("revocation: %q, and then %q", out[2], out[3])
	}
	if out[6] != "1" || out[7] != inactive {
		t.Errorf("DEL in Redis: %q, and then %q", out[6], out[7])
	}
}

// A failed token request leaves TOKEN empty, shows the error, and ends with a failure status.
func TestWelcomeLineForATokenFailsAsItShould(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	p := apptest.StartChit(t, nil)
	apptest.Eventually(t, 5*time.Second, "the last line of the welcome", func() bool { return strings.Contains(p.Stdout.String(), "redis-cli") })
	_, lines, _ := strings.Cut(p.Stdout.String(), "Get a token:")
	lines, _, _ = strings.Cut(lines, "Ask about it")
	cmd := exec.Command(bash, "-c", strings.Replace(lines, ":my-secret", ":wrong", 1)+"status=$?; echo \"TOKEN=$TOKEN.\"; exit $status")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), `"error":"invalid_client"`) || !strings.Contains(string(out), "TOKEN=.\n") || !strings.Contains(stderr.String(), "401") {
		t.Errorf("%v: %s%s", err, out, &stderr)
	}
}

func TestEmbeddedStartToFirstToken(t *testing.T) {
	started := time.Now()
	p := apptest.StartChit(t, nil)
	p.Token(demo, demoSecret)
	took := time.Since(started)
	t.Logf("from the start of the process to its first token: %v", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Error("that is no quick start")
	}
}

func TestEmbeddedClientsOutliveTheServer(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_EMBEDDED_DATABASE=" + t.TempDir() + "/chit.db"}
	first := apptest.StartChit(t, env)
	if got := first.Post("/token", "in-between", "any", tokenPlease); got.Status != http.StatusUnauthorized {
		t.Fatalf("an unknown client: %d %s", got.Status, got.Body)
	}
	secret := apptest.Create(t, env, "in-between").ClientSecret
	first.Token("in-between", secret)
	first.Signal(syscall.SIGINT)
	if state := first.Ended(5 * time.Second); state.ExitCode() != 0 {
		t.Fatalf("SIGINT: %v: %s", state, first.Stderr.String())
	}

	second := apptest.StartChit(t, env)
	second.Token("in-between", secret)
	second.Token(demo, demoSecret)
}
