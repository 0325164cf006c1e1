package handlers_test

import (
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/tokens"
)

// While Redis is out of reach, no token is issued, none is called inactive, and no revocation is
// acknowledged.
func TestRedisOutOfReach(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*apptest.Redis) }{
		"stopped": {(*apptest.Redis).Stop, (*apptest.Redis).Start},
		"frozen":  {(*apptest.Redis).Pause, (*apptest.Redis).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			s := register(apptest.Real(t, "--request-timeout=500ms"))
			token := s.Token("alice", secret)
			outage.begin(s.Redis)
			checkUnavailable(t, s, "alice", token)
			if ready := s.Get("/readyz"); ready.Status != 503 || ready.Text("redis") == "ok" || ready.Text("database") != "ok" {
				t.Errorf("/readyz: %d %s", ready.Status, ready.Body)
			}
			if alive := s.Get("/healthz"); alive.Status != 200 {
				t.Errorf("/healthz: %d %s", alive.Status, alive.Body)
			}
			if answer := s.Post("/introspect", "alice", secret, "token=garbage"); answer.Body != inactive {
				t.Errorf("garbage needs no Redis: %d %s", answer.Status, answer.Body)
			}
			outage.end(s.Redis)
			wait(t, "the server to be ready again", func() bool { return s.Get("/readyz").Status == 200 })
			s.Token("alice", secret)
		})
	}
}

func checkUnavailable(t *testing.T, s *apptest.Server, client, token string) {
	t.Helper()
	for path, form := range map[string]string{
		"/token":      "grant_type=client_credentials",
		"/introspect": "token=" + token,
		"/revoke":     "token=" + token,
	} {
		started := time.Now()
		answer := s.Post(path, client, secret, form)
		if answer.Status != 503 || answer.Text("error") != "temporarily_unavailable" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s %v", path, answer.Status, answer.Body, answer.Header)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s: hung for %v", path, took)
		}
		checkCommonHeaders(t, answer)
	}
}

// Redis refuses the commands. Nothing is acknowledged that Redis has not acknowledged.
func TestRedisRefuses(t *testing.T) {
	s := register(apptest.Real(t))
	token := s.Token("alice", secret)
	s.Redis.CLI("REPLICAOF", "127.0.0.1", "1")
	for path, form := range map[string]string{"/token": "grant_type=client_credentials", "/revoke": "token=" + token} {
		if answer := s.Post(path, "alice", secret, form); answer.Status != 503 {
			t.Errorf("%s on a read-only replica: %d %s", path, answer.Status, answer.Body)
		}
	}
	s.Redis.CLI("REPLICAOF", "NO", "ONE")
	s.Redis.CLI("SET", "oauth:token:"+tokens.ID(token), "not JSON")
	if answer := s.Post("/introspect", "alice", secret, "token="+token); answer.Status != 500 || answer.Text("error") != "server_error" {
		t.Errorf("a value that is not a token's: %d %s", answer.Status, answer.Body)
	}
}

// While the database is out of reach, known clients go on working. No client is called unknown, and no
// token inactive.
func TestDatabaseOutOfReach(t *testing.T) {
	for name, outage := range map[string]struct{ begin, end func(*apptest.PostgreSQL) }{
		"stopped": {(*apptest.PostgreSQL).Stop, (*apptest.PostgreSQL).Start},
		"killed":  {(*apptest.PostgreSQL).Kill, (*apptest.PostgreSQL).Start},
	} {
		t.Run(name, func(t *testing.T) {
			postgres := apptest.StartPostgreSQL(t)
			s := register(apptest.On(t, postgres.URL, apptest.StartRedis(t), "--request-timeout=500ms"))
			token, unknowns := s.Token("alice", secret), s.Token("bob", secret)
			s.Active("api", secret, token)
			other := s.Another("--request-timeout=500ms")
			other.Active("api", secret, token)

			outage.begin(postgres)
			time.Sleep(1500 * time.Millisecond) // longer than the cache trusts a row without heartbeats
			if !s.Active("api", secret, s.Token("alice", secret)) || !s.Active("alice", secret, token) {
				t.Error("a known client does not go on working")
			}
			if answer := s.Post("/token", "alice", "wrong", "grant_type=client_credentials"); answer.Status != 401 {
				t.Errorf("a known client with a wrong secret: %d %s", answer.Status, answer.Body)
			}
			checkUnavailable(t, other, "bob", unknowns)
			if answer := other.Post("/introspect", "api", secret, "token="+unknowns); answer.Status != 503 {
				t.Errorf("a token of a client that is not known: %d %s", answer.Status, answer.Body)
			}
			if ready := s.Get("/readyz"); ready.Status != 200 || ready.Text("status") != "degraded" || ready.Text("database") != "out of reach" || ready.Text("redis") != "ok" {
				t.Errorf("/readyz: %d %s", ready.Status, ready.Body)
			}
			outage.end(postgres)
			wait(t, "the server to be ready again", func() bool { return s.Get("/readyz").Text("status") == "ready" })
			s.Exec("UPDATE oauth_client SET disabled_at = now() WHERE client_id = 'alice'")
			if !within(time.Second, func() bool { return !s.Active("api", secret, token) && !other.Active("api", secret, token) }) {
				t.Error("a change after the outage is not in force within a second")
			}
		})
	}
}

// A node is ready while it has Redis and either the database or clients in memory that it may still use.
func TestReadyWhileClientsInMemoryMayBeUsed(t *testing.T) {
	var hangs atomic.Bool // a database that hangs is the slowest to be noticed
	postgres := apptest.StartPostgreSQLProxy(t, apptest.Database(t), func() apptest.PostgreSQLFault {
		if hangs.Load() {
			return apptest.PostgreSQLFault{Delay: 5 * time.Second}
		}
		return apptest.PostgreSQLFault{}
	})
	redis := apptest.StartRedis(t)
	s := register(apptest.On(t, postgres.URL, redis, "--request-timeout=1s", "--client-max-stale=3s"))
	stranger := s.Another("--request-timeout=1s") // has no client in memory
	s.Token("alice", secret)
	expect := func(on *apptest.Server, status int, text string) {
		t.Helper()
		asked := time.Now()
		if ready := on.Get("/readyz"); ready.Status != status || ready.Text("status") != text {
			t.Errorf("/readyz: %d %s, want %d %s", ready.Status, ready.Body, status, text)
		}
		if took := time.Since(asked); took > time.Second {
			t.Errorf("/readyz took %v", took)
		}
	}
	expect(s, 200, "ready")
	expect(stranger, 200, "ready")

	hangs.Store(true)
	expect(s, 200, "degraded")
	expect(stranger, 503, "not ready")
	s.Token("alice", secret)
	redis.Pause()
	expect(s, 503, "not ready")
	redis.Resume()
	expect(s, 200, "degraded")

	if !within(5*time.Second, func() bool { return s.Get("/readyz").Status == 503 }) {
		t.Error("ready when clients in memory may not be used any more")
	}
	if answer := s.Post("/token", "alice", secret, "grant_type=client_credentials"); answer.Status != 503 {
		t.Errorf("/token: %d %s", answer.Status, answer.Body)
	}
	hangs.Store(false)
	postgres.CutAll()
	wait(t, "the servers to be ready again", func() bool {
		return s.Get("/readyz").Text("status") == "ready" && stranger.Get("/readyz").Text("status") == "ready"
	})
}
