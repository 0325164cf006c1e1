package app_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"chit/app/apptest"
)

// maintained is a deployment for the blocks of docs/maintenance.md.
type maintained struct {
	t        *testing.T
	database *apptest.PostgreSQL
	redis    *apptest.Redis
	dir      string
	blocks   [][]string // kind and text of the blocks that were not run yet
}

const (
	oldPassword = "old:password"
	newPassword = "new@password"
)

// Every block of the documents runs as it stands and does what they say.
func TestMaintenanceRunsAsWritten(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "redis-cli", "sha256sum", "pg_dump", "pg_restore"} {
		apptest.Tool(t, name)
	}
	upgrades, err := os.ReadFile("../docs/upgrades.md")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../docs/maintenance.md")
	if err != nil {
		t.Fatal(err)
	}
	m := &maintained{t: t, database: apptest.StartPostgreSQL(t), redis: apptest.StartRedis(t, "--requirepass", oldPassword), dir: t.TempDir()}
	for _, block := range regexp.MustCompile("(?ms)^```(sh|sql)\n(.*?)^```$").FindAllStringSubmatch(string(upgrades)+string(document), -1) {
		m.blocks = append(m.blocks, block[1:])
	}
	m.upgrade()
	m.changeRedisPassword()
	m.changeDatabasePassword()
	m.restore()
	if len(m.blocks) != 0 {
		t.Errorf("blocks that were not run: %q", m.blocks)
	}
}

// run runs the first remaining block that contains a text.
func (m *maintained) run(with string) {
	m.t.Helper()
	for i, block := range m.blocks {
		if !strings.Contains(block[1], with) {
			continue
		}
		m.blocks = append(m.blocks[:i:i], m.blocks[i+1:]...)
		if block[0] == "sql" {
			apptest.Psql(m.t, m.database.URL, block[1])
			return
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", block[1])
		cmd.Dir = m.dir
		cmd.Env = append(os.Environ(), "CHIT_DATABASE_URL="+m.database.URL, "CHIT_REDIS_URL="+m.redis.URL,
			"OLD_PASSWORD="+oldPassword, "NEW_PASSWORD="+newPassword, "NEW_REDIS_URL="+m.newRedisURL())
		if out, err := cmd.CombinedOutput(); err != nil {
			m.t.Fatalf("%v\n%s%s", err, block[1], out)
		}
		return
	}
	m.t.Fatalf("no block has %q in it", with)
}

func (m *maintained) newRedisURL() string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("default", newPassword), Host: m.redis.Addr}).String()
}

// node starts a node that does not change the schema.
func (m *maintained) node(database, redis string) *apptest.Process {
	m.t.Helper()
	p := apptest.StartChit(m.t, []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis, "CHIT_MIGRATE=off"})
	if got := apptest.Get(m.t, p.URL+"/readyz"); got.Text("status") != "ready" {
		m.t.Errorf("/readyz: %d %s", got.Status, got.Body)
	}
	return p
}

func (m *maintained) upgrade() {
	m.t.Helper()
	m.run("migrate up")
	m.node(m.database.URL, m.redis.URL)
}

func (m *maintained) changeRedisPassword() {
	m.t.Helper()
	m.run("NEW_PASSWORD")
	m.node(m.database.URL, m.redis.URL)
	m.node(m.database.URL, m.newRedisURL())
	m.run("OLD_PASSWORD")
	m.node(m.database.URL, m.newRedisURL())
	refused := apptest.Chit(m.t, []string{"CHIT_DATABASE_URL=" + m.database.URL, "CHIT_REDIS_URL=" + m.redis.URL, apptest.AnyPort[0], apptest.AnyPort[1]})
	if !strings.Contains(refused.Stderr, "refuses the user or password") {
		m.t.Errorf("with the old password: %+v", refused)
	}
	m.redis.URL = m.newRedisURL()
}

func (m *maintained) changeDatabasePassword() {
	m.t.Helper()
	apptest.Psql(m.t, m.database.URL, leastPrivilege(m.t)[0][2]) // the role of the server
	apptest.Psql(m.t, m.database.URL, "ALTER ROLE chit_server PASSWORD '"+apptest.Password+"'")
	m.node(as(m.t, m.database.URL, "chit_server"), m.redis.URL)
	m.run("chit_server_2")
	apptest.Psql(m.t, m.database.URL, "ALTER ROLE chit_server_2 PASSWORD '"+apptest.Password+"'")
	m.run("NOLOGIN")
	m.node(as(m.t, m.database.URL, "chit_server_2"), m.redis.URL)
	refused := apptest.Chit(m.t, []string{"CHIT_DATABASE_URL=" + as(m.t, m.database.URL, "chit_server"), "CHIT_REDIS_URL=" + m.redis.URL}, "client", "list")
	if !strings.Contains(refused.Stderr, "not permitted to log in") {
		m.t.Errorf("the first role: %+v", refused)
	}
}

func (m *maintained) restore() {
	m.t.Helper()
	env := []string{"CHIT_DATABASE_URL=" + m.database.URL, "CHIT_REDIS_URL=" + m.redis.URL}
	p := m.node(m.database.URL, m.redis.URL)
	secret := apptest.Create(m.t, env, "billing-job").ClientSecret
	token := p.Token("billing-job", secret)
	m.run("pg_dump")
	apptest.Psql(m.t, m.database.URL, "UPDATE oauth_client SET disabled_at = now(), tokens_revoked_before = now()")
	apptest.Create(m.t, env, "later")
	m.run("pg_restore")
	apptest.Eventually(m.t, apptest.Soon, "the client is as it was in the backup", func() bool {
		return p.Post("/token", "billing-job", secret, tokenPlease).Status == http.StatusOK
	})
	if p.Post("/introspect", "billing-job", secret, "token="+token).JSON()["active"] != false {
		m.t.Error("a token of before is active")
	}
	if list := apptest.Chit(m.t, env, "client", "list"); strings.Contains(list.Stdout, "later") {
		m.t.Errorf("a client that is not in the backup: %s", list.Stdout)
	}
}

// as returns the URL with another user and the password of the tests.
func as(t *testing.T, rawURL, user string) string {
	t.Helper()
	parsed, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword(user, apptest.Password)
	return parsed.String()
}
