package app_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// Every block of docs/operations.md runs as it stands, in order. It ends exactly the tokens that the
// document says. Both stores require a password.
func TestOperationsRunAsWritten(t *testing.T) {
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	s := apptest.On(t, apptest.Database(t), apptest.StartRedis(t, "--requirepass", "of:Redis"))
	// Roles belong to the whole PostgreSQL server, which other tests use, too.
	t.Cleanup(func() {
		const roles = "chit_server, chit_operator, chit_revoker"
		apptest.Psql(t, s.DatabaseURL, "DROP OWNED BY "+roles+"; DROP ROLE "+roles)
	})
	blocks := regexp.MustCompile("(?ms)^```(sh|sql)\n(.*?)^```$").FindAllStringSubmatch(string(document), -1)
	if len(blocks) < 20 {
		t.Fatalf("only %d blocks found", len(blocks))
	}
	for _, block := range blocks {
		kind, text := block[1], block[2]
		token := ""
		if strings.Contains(apptest.Psql(t, s.DatabaseURL, "SELECT client_id FROM oauth_client"), "billing-job") {
			token = billingToken(t, s)
		}
		if kind == "sql" {
			apptest.Psql(t, s.DatabaseURL, text)
		} else {
			runBlock(t, s, text, token)
		}
		if token == "" {
			continue
		}
		want := !endsTokens.MatchString(text)
		if !settles(func() bool { return asked(t, s, token) == want }) {
			t.Errorf("a token of billing-job is active: %t, after\n%s", !want, text)
		}
	}
	if left := apptest.Psql(t, s.DatabaseURL, "SELECT string_agg(client_id, ' ' ORDER BY client_id) FROM oauth_client WHERE client_id NOT IN ('auditor')"); left != "alice billing-job invoices-api settlement-job" {
		t.Errorf("clients at the end: %s", left)
	}
}

// endsTokens matches the blocks that end the tokens of billing-job.
var endsTokens = regexp.MustCompile(`token revoke|DEL "oauth:token|tokens_revoked_before = now|--revoke-tokens|client disable`)

// billingToken returns a new token of billing-job, whatever its current secret is.
func billingToken(t *testing.T, s *apptest.Server) string {
	t.Helper()
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('auditor', '" + models.HashSecret("auditor") + "', true) ON CONFLICT DO NOTHING")
	s.Exec("INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('billing-job', '" + models.HashSecret("operations") + "', now() + interval '1 hour') ON CONFLICT DO NOTHING")
	token := s.Token("billing-job", "operations")
	if !settles(func() bool { return asked(t, s, token) }) {
		t.Fatal("a fresh token is inactive")
	}
	return token
}

func asked(t *testing.T, s *apptest.Server, token string) bool {
	t.Helper()
	return s.Active("auditor", "auditor", token)
}

// settles waits for up to a second, in which a change must be in force.
func settles(done func() bool) bool {
	for deadline := time.Now().Add(time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func runBlock(t *testing.T, s *apptest.Server, text, token string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "CHIT_DATABASE_URL="+s.DatabaseURL, "CHIT_REDIS_URL="+s.RedisURL,
		"SECRET=a secret of ours", "URL="+s.URL, "OPS_URL="+s.OpsURL, "TOKEN="+token, "JTI="+tokens.ID(token))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s%s", err, text, out)
	}
}
