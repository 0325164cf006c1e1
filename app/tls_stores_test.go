package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
)

// The server reaches both stores by TLS and checks their certificates.
func TestStoresByTLS(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	own := ca.Issue("127.0.0.1")
	database, databaseURL := apptest.StartSecurePostgreSQL(t, ca, ca.Issue("127.0.0.1"))
	redis, redisURL := apptest.StartSecureRedis(t, ca, ca.Issue("127.0.0.1"), "--tls-auth-clients", "yes")
	redisURL += "?" + url.Values{"sslrootcert": {ca.File}, "sslcert": {own.Cert}, "sslkey": {own.Key}}.Encode()
	env := []string{"CHIT_DATABASE_URL=" + databaseURL, "CHIT_REDIS_URL=" + redisURL}
	p := apptest.StartChit(t, env)
	secret := apptest.Create(t, env, "billing-job").ClientSecret
	token := p.Token("billing-job", secret)
	if p.Post("/introspect", "billing-job", secret, "token="+token).JSON()["active"] != true {
		t.Error("a token is inactive")
	}
	if got := apptest.Get(t, p.URL+"/readyz"); got.Status != http.StatusOK {
		t.Errorf("not ready: %s", got.Body)
	}
	// The listening connection uses TLS, too.
	apptest.Eventually(t, apptest.Soon, "the listener", func() bool {
		return strings.Contains(apptest.Get(t, p.OpsURL+"/metrics").Body, "chit_client_cache_listening 1")
	})
	if got := apptest.Psql(t, database.URL, "SELECT count(*) > 1, bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND pid <> pg_backend_pid()"); got != "t|t" {
		t.Errorf("some connections, and all by TLS: %s", got)
	}
	// All connections come in at the TLS port, except for the one that asks.
	for line := range strings.Lines(redis.CLI("CLIENT", "LIST")) {
		if strings.Contains(line, "laddr="+redis.Addr+" ") && !strings.Contains(line, "cmd=client") {
			t.Errorf("a connection without TLS: %s", line)
		}
	}
	if revoked := apptest.ChitWith(t, token, env, "token", "revoke", "--token=-"); revoked.Status != 0 {
		t.Errorf("the command line: %+v", revoked)
	}
}

// If a store has no valid certificate, the server refuses to start, with one line.
func TestStoresThatCannotShowWhoTheyAre(t *testing.T) {
	t.Parallel()
	ca, stranger := apptest.NewAuthority(t), apptest.NewAuthority(t)
	database, databaseURL := apptest.StartSecurePostgreSQL(t, ca, ca.Issue("127.0.0.1"))
	plain := apptest.StartRedis(t)
	_, redisURL := apptest.StartSecureRedis(t, ca, ca.Issue("127.0.0.1"), "--requirepass", apptest.Password)
	_, closedURL := apptest.StartSecureRedis(t, ca, ca.Issue("127.0.0.1"), "--tls-auth-clients", "yes")
	_, misnamedURL := apptest.StartSecureRedis(t, ca, ca.Issue("redis.example.com"))
	with := func(authority string) string { return "?sslrootcert=" + url.QueryEscape(authority) }
	for _, row := range []struct {
		name, database, redis, want string
	}{
		{"PostgreSQL of another authority", strings.Replace(databaseURL, url.QueryEscape(ca.File), url.QueryEscape(stranger.File), 1), plain.URL, "certificate signed by unknown authority"},
		{"PostgreSQL under another name", strings.Replace(databaseURL, "127.0.0.1", "localhost", 1), plain.URL, "certificate is not valid for any names"},
		{"Redis of another authority", database.URL, redisURL + with(stranger.File), "certificate signed by unknown authority"},
		{"Redis of an authority that the system does not know", database.URL, redisURL, "certificate signed by unknown authority"},
		{"Redis under another name", database.URL, misnamedURL + with(ca.File), "doesn't contain any IP SANs"},
		{"Redis without TLS", database.URL, strings.Replace(plain.URL, "redis:", "rediss:", 1) + with(ca.File), "redis: ping: storage is unavailable"},
		{"Redis with TLS, without it in the URL", database.URL, strings.Replace(redisURL, "rediss:", "redis:", 1), "speaks TLS: write rediss:// (CHIT_REDIS_URL): "},
		{"Redis that wants a certificate", database.URL, closedURL + with(ca.File), "refuses the client certificate or its absence (tls: certificate required): name sslcert and sslkey (CHIT_REDIS_URL): "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := apptest.Chit(t, append([]string{"CHIT_LOG_LEVEL=error", "CHIT_DATABASE_URL=" + row.database, "CHIT_REDIS_URL=" + row.redis}, apptest.AnyPort...))
			if got.Status != 1 || !apptest.IsOneLine(got.Stderr) || !strings.Contains(got.Stderr, row.want) || strings.Contains(got.Stderr, apptest.Password) {
				t.Errorf("%+v", got)
			}
		})
	}
}
