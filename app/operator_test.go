package app_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// operator has psql, redis-cli and a running server.
type operator struct {
	*apptest.Process
	database string
	redis    *apptest.Redis
}

// The steps of this test depend on each other.
func TestOperatorsStory(t *testing.T) {
	t.Parallel()
	o := &operator{database: apptest.Database(t), redis: apptest.StartRedis(t)}
	o.Process = apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + o.database, "CHIT_REDIS_URL=" + o.redis.URL})
	for _, step := range []struct {
		name string
		test func(*operator, *testing.T)
	}{
		{"an INSERT after a refused try works at once", (*operator).inserts},
		{"an UPDATE of the scopes is in force", (*operator).changesScopes},
		{"a DEL in Redis ends a token", (*operator).deletesToken},
		{"disabled_at ends the client and its tokens, and NULL brings them back", (*operator).disables},
		{"a DELETE ends the client and its tokens", (*operator).deletesClient},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(o, t) }) {
			t.FailNow()
		}
	}
}

func (o *operator) sql(t *testing.T, statement string) {
	t.Helper()
	apptest.Psql(t, o.database, statement)
}

func (o *operator) inserts(t *testing.T) {
	if got := o.Post("/token", demo, demoSecret, tokenPlease); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
		t.Fatalf("before: %d %s", got.Status, got.Body)
	}
	hash := apptest.ChitWith(t, demoSecret, nil, "hash-secret").Stdout
	o.sql(t, `INSERT INTO oauth_client (client_id, client_secret_hash, client_name, redirect_uris, allowed_scopes, grant_types, is_public)
		VALUES ('my-machine-client', '`+strings.TrimSpace(hash)+`', 'Machine Client', '', 'openid profile', 'client_credentials', false);`)
	if got := o.Post("/token", demo, demoSecret, tokenPlease); got.Status != http.StatusOK || got.Text("scope") != "openid profile" {
		t.Errorf("after: %d %s", got.Status, got.Body)
	}
}

func (o *operator) changesScopes(t *testing.T) {
	o.sql(t, "UPDATE oauth_client SET allowed_scopes = 'openid admin' WHERE client_id = 'my-machine-client'")
	apptest.Eventually(t, apptest.Soon, "admin is granted", func() bool {
		return o.Post("/token", demo, demoSecret, tokenPlease+"&scope=admin").Text("scope") == "admin"
	})
	if got := o.Post("/token", demo, demoSecret, tokenPlease+"&scope=profile"); got.Text("error") != "invalid_scope" {
		t.Errorf("profile is no longer allowed: %d %s", got.Status, got.Body)
	}
}

func (o *operator) deletesToken(t *testing.T) {
	token, other := o.Token(demo, demoSecret), o.Token(demo, demoSecret)
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(token)))
	before := o.Post("/introspect", demo, demoSecret, "token="+token)
	if before.JSON()["active"] != true || before.Text("jti") != id || before.Text("client_id") != demo {
		t.Fatalf("before: %s", before.Body)
	}
	if got := o.redis.CLI("DEL", "oauth:token:"+id); got != "1" {
		t.Fatalf("DEL: %s", got)
	}
	apptest.Eventually(t, 100*time.Millisecond, "the token is inactive", func() bool { return !o.active(t, demo, demoSecret, token) })
	if !o.active(t, demo, demoSecret, other) {
		t.Error("another token has ended with it")
	}
}

func (o *operator) disables(t *testing.T) {
	o.sql(t, "INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) SELECT 'api', client_secret_hash, true FROM oauth_client")
	token := o.Token(demo, demoSecret)
	if !o.active(t, "api", demoSecret, token) {
		t.Fatal("a resource server does not see the token")
	}
	o.sql(t, "UPDATE oauth_client SET disabled_at = now() WHERE client_id = 'my-machine-client'")
	apptest.Eventually(t, apptest.Soon, "the client is refused", func() bool { return o.Post("/token", demo, demoSecret, tokenPlease).Status == http.StatusUnauthorized })
	apptest.Eventually(t, apptest.Soon, "its token is inactive", func() bool { return !o.active(t, "api", demoSecret, token) })

	o.sql(t, "UPDATE oauth_client SET disabled_at = NULL WHERE client_id = 'my-machine-client'")
	o.Token(demo, demoSecret)
	apptest.Eventually(t, apptest.Soon, "its token is active again", func() bool { return o.active(t, "api", demoSecret, token) })
}

func (o *operator) deletesClient(t *testing.T) {
	token := o.Token(demo, demoSecret)
	o.sql(t, "DELETE FROM oauth_client WHERE client_id = 'my-machine-client'")
	apptest.Eventually(t, apptest.Soon, "its token is inactive", func() bool { return !o.active(t, "api", demoSecret, token) })
	apptest.Eventually(t, apptest.Soon, "the client is refused", func() bool { return o.Post("/token", demo, demoSecret, tokenPlease).Status == http.StatusUnauthorized })
}

// active asks as user whether a token is active. Any other answer fails the test.
func (o *operator) active(t *testing.T, user, secret, token string) bool {
	t.Helper()
	answer := o.Post("/introspect", user, secret, "token="+token)
	active, told := answer.JSON()["active"].(bool)
	if answer.Status != http.StatusOK || !told {
		t.Fatalf("no introspection: %d %s", answer.Status, answer.Body)
	}
	if !active && answer.Body != `{"active":false}`+"\n" && answer.Body != `{"active":false}` {
		t.Fatalf("an inactive token is told more of: %s", answer.Body)
	}
	return active
}
