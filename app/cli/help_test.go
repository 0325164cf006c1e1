package cli_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

var (
	helpedCommand = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*(?: [a-z][a-z-]*){0,2})  +[A-Z]`)
	helpExample   = regexp.MustCompile(`(?m)^    (\S.*)$`)
)

// exampled is the environment in which the examples run: a server, and a client with a token.
type exampled struct {
	*apptest.Process
	database, redis string
	vars            []string
}

// Every example in the help works when it is pasted.
func TestEveryHelpHasAnExampleThatRuns(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	e := &exampled{database: apptest.Migrated(t), redis: apptest.StartRedis(t).URL}
	e.vars = []string{"CHIT_DATABASE_URL=" + e.database, "CHIT_REDIS_URL=" + e.redis}
	e.Process = apptest.StartChit(t, e.vars)
	commands := helpedCommand.FindAllStringSubmatch(apptest.Chit(t, nil, "--help").Stdout, -1)
	if len(commands) < 16 {
		t.Fatalf("only %d commands found", len(commands))
	}
	for _, command := range commands {
		name := command[1]
		t.Run(name, func(t *testing.T) {
			help := apptest.Chit(t, nil, append(strings.Fields(name), "--help")...).Stdout
			before, _, _ := strings.Cut(help, "\nFlags:\n")
			examples := helpExample.FindAllStringSubmatch(before, -1)
			if len(examples) == 0 {
				t.Fatalf("no example:\n%s", help)
			}
			for _, example := range examples {
				if !strings.Contains(example[1], "chit "+name) && !strings.Contains(example[1], `"chit", "`+name) {
					t.Errorf("it is of another command: %s", example[1])
				}
				e.run(t, bash, example[1])
			}
		})
	}
}

// run runs an example. It only replaces addresses and paths of the example.
func (e *exampled) run(t *testing.T, bash, example string) {
	t.Helper()
	urlFile := apptest.File(t, e.database+"\n")
	pasted := strings.NewReplacer(
		"/run/secrets/database-url", urlFile,
		"/run/secrets/client-secret", urlFile, // guard does not wait for the server that checks it
		"postgres://chit:…@db:5432/chit", "'"+e.database+"'",
		"redis://default:…@redis:6379", e.redis,
		`HEALTHCHECK CMD ["chit", "health"]`, "chit health",
	).Replace(example)
	if strings.Contains(pasted, "signing-job.pem") && !strings.Contains(pasted, "client keygen") {
		key := t.TempDir() + "/job.pem"
		if made := apptest.Chit(t, nil, "client", "keygen", "--private-key", key); made.Status != 0 {
			t.Fatal(made.Stderr)
		}
		pasted = strings.Replace(pasted, "signing-job.pem", key, 1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "-euo", "pipefail", "-c", pasted)
	template := apptest.ChitCommand(t, nil)
	cmd.Dir, cmd.ExtraFiles = template.Dir, template.ExtraFiles
	cmd.Env = append(template.Env, "SECRET=my-secret", "CHIT_LISTEN="+strings.TrimPrefix(e.URL, "http://"))
	serves := strings.Contains(pasted, "chit guard") || strings.HasSuffix(pasted, "chit serve")
	if serves {
		cmd.Env = append(append(cmd.Env, apptest.AnyPort...), "CHIT_GUARD_LISTEN=127.0.0.1:0", "CHIT_GUARD_OPS_LISTEN=127.0.0.1:0")
	}
	if !strings.Contains(pasted, urlFile) && !serves {
		cmd.Env = append(cmd.Env, e.vars...)
	}
	token := e.prepare(t, strings.Contains(pasted, "client create"))
	if strings.Contains(pasted, "federate remove") {
		apptest.Psql(t, e.database, "INSERT INTO oauth_client_federation VALUES ('billing-job', 'https://kubernetes.example.com', 'system:serviceaccount:shop:billing', 'https://auth.example.com')")
	}
	if strings.Contains(pasted, "federate add deploy-job") {
		apptest.Psql(t, e.database, "INSERT INTO oauth_client (client_id) VALUES ('deploy-job')")
	}
	cmd.Env = append(cmd.Env, "TOKEN="+token, "JTI="+tokens.ID(token))
	var out apptest.Output
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &bytes.Buffer{}, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if serves {
		apptest.Eventually(t, 15*time.Second, "it listens", func() bool { return strings.Contains(out.String(), "listening") })
		if err := cmd.Process.Signal(os.Signal(syscall.SIGINT)); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s\n%s", err, example, out.String())
	}
}

// prepare creates the client billing-job, unless the example does, and returns one of its tokens.
func (e *exampled) prepare(t *testing.T, without bool) (token string) {
	t.Helper()
	hash := models.HashSecret("secret")
	apptest.Psql(t, e.database, "DELETE FROM oauth_client; INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('billing-job', '"+hash+"')")
	apptest.Eventually(t, apptest.Soon, "the client gets a token", func() bool {
		token = e.Post("/token", "billing-job", "secret", tokenPlease).Text("access_token")
		return token != ""
	})
	if without {
		apptest.Psql(t, e.database, "DELETE FROM oauth_client")
	}
	return token
}
