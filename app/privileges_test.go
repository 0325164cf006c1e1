package app_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/tokens"
)

// privileges has servers with the roles of docs/operations.md and without clients.
type privileges struct {
	database *apptest.PostgreSQL
	redis    *apptest.Redis
}

// granted runs the blocks of the section "Least privilege" as they stand.
func granted(t *testing.T) privileges {
	t.Helper()
	bash := apptest.Tool(t, "bash")
	g := privileges{apptest.StartPostgreSQL(t), apptest.StartRedis(t)}
	if up := apptest.Chit(t, []string{"CHIT_DATABASE_URL=" + g.database.URL}, "migrate", "up"); up.Status != 0 {
		t.Fatal(up.Stderr)
	}
	for _, block := range leastPrivilege(t) {
		if block[1] == "sql" {
			apptest.Psql(t, g.database.URL, block[2])
			continue
		}
		cmd := exec.Command(bash, "-euo", "pipefail", "-c", block[2])
		cmd.Env = append(os.Environ(), "CHIT_REDIS_URL="+g.redis.URL, "SECRET="+apptest.Password)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "OK\n" {
			t.Fatalf("%v: %s\n%s", err, out, block[2])
		}
	}
	for _, role := range []string{"server", "operator", "revoker"} {
		apptest.Psql(t, g.database.URL, "ALTER ROLE chit_"+role+" PASSWORD '"+apptest.Password+"'")
	}
	return g
}

// leastPrivilege returns the blocks of the section: kind and text.
func leastPrivilege(t *testing.T) [][]string {
	t.Helper()
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "\n## Least privilege\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```(sh|sql)\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	if len(blocks) != 6 {
		t.Fatalf("%d blocks found, this test knows 6", len(blocks))
	}
	return blocks
}

// as returns the variables with both URLs of a role.
func (g privileges) as(t *testing.T, role string) (env []string) {
	t.Helper()
	for setting, stores := range map[string]struct{ url, user string }{
		"CHIT_DATABASE_URL": {g.database.URL, "chit_" + role}, "CHIT_REDIS_URL": {g.redis.URL, "chit-" + role},
	} {
		parsed, err := url.Parse(stores.url)
		if err != nil {
			t.Fatal(err)
		}
		parsed.User = url.UserPassword(stores.user, apptest.Password)
		env = append(env, setting+"="+parsed.String())
	}
	return env
}

func (g privileges) sql(t *testing.T, role, statement string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, strings.Replace(apptest.WithPassword(t, g.database.URL), "://chit:", "://chit_"+role+":", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (g privileges) client(t *testing.T, role string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: g.redis.Addr, Username: "chit-" + role, Password: apptest.Password, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return client
}

// refusedNothing fails the test if Redis has refused a command.
func (g privileges) refusedNothing(t *testing.T) {
	t.Helper()
	if log := g.redis.CLI("ACL", "LOG"); log != "" {
		t.Errorf("Redis has refused: %s", log)
	}
}

// usedAll fails the test if the server has a permission that it did not use.
func (g privileges) usedAll(t *testing.T) {
	t.Helper()
	stats := g.redis.CLI("INFO", "commandstats")
	for _, block := range leastPrivilege(t) {
		if !strings.Contains(block[2], "SETUSER chit-server") {
			continue
		}
		for _, command := range regexp.MustCompile(`\+([\w|]+)`).FindAllStringSubmatch(block[2], -1) {
			if !strings.Contains(stats, "cmdstat_"+command[1]+":") {
				t.Errorf("granted without need: %s", command[1])
			}
		}
	}
}

// The server and the operators can do everything they need with their roles.
func TestRolesSuffice(t *testing.T) {
	t.Parallel()
	g := granted(t)
	p := apptest.StartChit(t, append(g.as(t, "server"), "CHIT_MIGRATE=off"))
	operator := g.as(t, "operator")
	secret := apptest.Create(t, operator, "billing-job").ClientSecret
	g.introspectTogether(t, p, "billing-job", secret)
	if got := p.Post("/token", "billing-job", "wrong", tokenPlease); got.Status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %d %s", got.Status, got.Body)
	}
	if g.redis.CLI("KEYS", "oauth:throttle:*") == "" {
		t.Error("the failure is not counted in Redis")
	}
	signer := apptest.NewSigner(t, "ES256", "")
	apptest.Psql(t, g.database.URL, "INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks) VALUES ('signing-job', 'private_key_jwt', '"+apptest.JWKS(signer)+"')")
	if got := p.Post("/token", "", "", "grant_type=client_credentials&"+apptest.AssertionForm(signer.Assertion("signing-job"))); got.Status != http.StatusOK {
		t.Errorf("by an assertion: %d %s", got.Status, got.Body)
	}
	token := p.Token("billing-job", secret)
	if got := p.Post("/revoke", "billing-job", secret, "token="+token); got.Status != http.StatusOK {
		t.Errorf("revocation: %d %s", got.Status, got.Body)
	}
	if got := apptest.Get(t, p.URL+"/readyz"); got.Status != http.StatusOK {
		t.Errorf("not ready: %s", got.Body)
	}
	apptest.Eventually(t, 2*time.Second, "it listens", func() bool {
		return strings.Contains(apptest.Get(t, p.OpsURL+"/metrics").Body, "chit_client_cache_listening 1")
	})
	apptest.Chit(t, operator, "client", "rotate-secret", "billing-job", "--overlap=1h").Says(t, "billing-job")
	apptest.Eventually(t, 5*time.Second, "the use of a retired secret is written down", func() bool {
		p.Token("billing-job", secret) // before the node knows of the rotation, this is the current secret
		return apptest.Psql(t, g.database.URL, "SELECT count(last_used_at) FROM oauth_client_retired_secret") == "1"
	})
	g.redis.CLI("CONFIG", "SET", "notify-keyspace-events", "Ege")
	apptest.Receive(t, p.URL, "api", apptest.Create(t, operator, "api", "--resource-server").ClientSecret).Quiet(1)
	g.operate(t, operator, p, secret)
	p.Signal(syscall.SIGINT)
	p.Ended(10 * time.Second)
	if got := apptest.Psql(t, g.database.URL, "SELECT last_used_at IS NOT NULL FROM oauth_client_use WHERE client_id = 'api'"); got != "t" {
		t.Errorf("the last use is not recorded: %q", got)
	}
	g.refusedNothing(t)
	g.usedAll(t)
	if log := p.Stderr.String(); strings.Contains(log, "permission denied") || strings.Contains(log, "NOPERM") {
		t.Error(log)
	}
}

// introspectTogether makes concurrent requests until the server has asked Redis for several tokens at once.
func (g privileges) introspectTogether(t *testing.T, p *apptest.Process, client, secret string) {
	t.Helper()
	token := p.Token(client, secret)
	apptest.Eventually(t, 20*time.Second, "an MGET", func() bool {
		introspect50(t, p, client, secret, token)
		return strings.Contains(g.redis.CLI("INFO", "commandstats"), "cmdstat_mget:")
	})
}

func introspect50(t *testing.T, p *apptest.Process, client, secret, token string) {
	t.Helper()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			request, _ := http.NewRequest(http.MethodPost, p.URL+"/introspect", strings.NewReader("token="+token))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.SetBasicAuth(client, secret)
			if got := apptest.Send(t, request); got.Status != http.StatusOK {
				t.Errorf("introspection: %d %s", got.Status, got.Body)
			}
		})
	}
	wait.Wait()
}

// operate runs every command that reads or changes something.
func (g privileges) operate(t *testing.T, env []string, p *apptest.Process, secret string) {
	t.Helper()
	token, other := p.Token("billing-job", secret), p.Token("billing-job", secret)
	for _, line := range []string{
		"migrate status", "client list", "client show billing-job", "client update billing-job --ttl=900s",
		"token list --client=billing-job", "token inspect --id=" + tokens.ID(token), "token revoke --id=" + tokens.ID(other),
		"token revoke --client=billing-job --yes", "token revoke --all --yes", "client disable billing-job --yes",
		"client enable billing-job", "client rotate-secret billing-job --overlap=0s --revoke-tokens --yes", "client delete billing-job --yes",
	} {
		if got := apptest.Chit(t, env, strings.Fields(line)...); got.Status != 0 {
			t.Errorf("chit %s: %+v", line, got)
		}
	}
}

// The role for revocation can revoke by jti, by a token, and all tokens of a client by SQL.
func TestRevokersRevoke(t *testing.T) {
	t.Parallel()
	g := granted(t)
	p := apptest.StartChit(t, append(g.as(t, "server"), "CHIT_MIGRATE=off"))
	secret := apptest.Create(t, g.as(t, "operator"), "billing-job").ClientSecret
	env := g.as(t, "revoker")
	for name, revoke := range map[string]func(token string){
		"jti":   func(token string) { apptest.Chit(t, env, "token", "revoke", "--id", tokens.ID(token)) },
		"token": func(token string) { apptest.ChitWith(t, token, env, "token", "revoke", "--token=-") },
		"DEL":   func(token string) { g.client(t, "revoker").Del(t.Context(), "oauth:token:"+tokens.ID(token)) },
		"SQL": func(string) {
			_ = g.sql(t, "revoker", "UPDATE oauth_client SET tokens_revoked_before = now() WHERE client_id = 'billing-job'")
		},
	} {
		token := p.Token("billing-job", secret)
		revoke(token)
		apptest.Eventually(t, apptest.Soon, name, func() bool {
			return p.Post("/introspect", "billing-job", secret, "token="+token).Body == `{"active":false}`
		})
	}
	g.refusedNothing(t)
}
