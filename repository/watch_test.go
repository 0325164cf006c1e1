package repository_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/migrations"
	"chit/models"
	"chit/repository"
)

// watched returns a cache that listens to a database with the clients a and b, and the URL of that
// database.
func watched(t *testing.T) (*repository.Cache, string) {
	t.Helper()
	url := apptest.Database(t)
	clients, err := repository.OpenPostgreSQL(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Up(t.Context(), clients.DB(), migrations.PostgreSQL); err != nil {
		t.Fatal(err)
	}
	apptest.Psql(t, url, "INSERT INTO oauth_client (client_id, client_name) VALUES ('a', 'first'), ('b', 'first')")
	cache, err := repository.NewCache(clients, repository.CacheOptions{Size: 100, MaxStale: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- cache.Watch(ctx, url, noObserver{}, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		clients.Close()
	})
	until(t, "the cache to listen", 5*time.Second, cache.Hearing)
	return cache, url
}

// noObserver ignores what Watch learns.
type noObserver struct{}

func (noObserver) ClientChanged(string) {}
func (noObserver) AllChanged()          {}
func (noObserver) Proven(time.Time)     {}
func (noObserver) Lost()                {}

func until(t *testing.T, what string, limit time.Duration, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > limit {
			t.Fatalf("waited %v in vain for %s", limit, what)
		}
		time.Sleep(500 * time.Microsecond)
	}
	return time.Since(began)
}

// named reports whether the cache has the client with this name. The name none means that there is no such
// client.
func named(cache *repository.Cache, id, want string) bool {
	client, err := cache.Find(context.Background(), id)
	if client == nil {
		return want == "none" && err != nil
	}
	return client.ClientName == want
}

// Every kind of statement is notified. The cache does not query the database in between.
func TestEveryStatementIsHeardOf(t *testing.T) {
	cache, url := watched(t)
	for _, step := range []struct{ name, sql, a, b string }{
		{"UPDATE", "UPDATE oauth_client SET client_name = 'second' WHERE client_id = 'a'", "second", "first"},
		{"UPDATE of all", "UPDATE oauth_client SET client_name = 'third'", "third", "third"},
		{"rename", "UPDATE oauth_client SET client_id = 'c' WHERE client_id = 'a'", "none", "third"},
		{"rename back", "UPDATE oauth_client SET client_id = 'a' WHERE client_id = 'c'", "third", "third"},
		{"upsert", "INSERT INTO oauth_client (client_id) VALUES ('a') ON CONFLICT (client_id) DO UPDATE SET client_name = 'fourth'", "fourth", "third"},
		{"MERGE", "MERGE INTO oauth_client USING (VALUES ('b')) AS v(id) ON client_id = v.id WHEN MATCHED THEN UPDATE SET client_name = 'fourth'", "fourth", "fourth"},
		{"transaction over 10,000 rows", "BEGIN; INSERT INTO oauth_client (client_id) SELECT 'bulk' || i FROM generate_series(1, 10000) AS i; UPDATE oauth_client SET client_name = 'fifth'; COMMIT", "fifth", "fifth"},
		{"10,000 statements in one transaction", "BEGIN; DO $$ BEGIN FOR i IN 1..10000 LOOP UPDATE oauth_client SET client_name = 'sixth' WHERE client_id = 'bulk' || i; END LOOP; END $$; UPDATE oauth_client SET client_name = 'sixth' WHERE client_id = 'a'; COMMIT", "sixth", "fifth"},
		{"rolled back", "BEGIN; UPDATE oauth_client SET client_name = 'never'; ROLLBACK", "sixth", "fifth"},
		{"DELETE", "DELETE FROM oauth_client WHERE client_id = 'a'", "none", "fifth"},
		{"INSERT", "INSERT INTO oauth_client (client_id, client_name) VALUES ('a', 'again')", "again", "fifth"},
		{"TRUNCATE", "TRUNCATE oauth_client", "none", "none"},
	} {
		apptest.Psql(t, url, step.sql)
		took := until(t, step.name, time.Second, func() bool { return named(cache, "a", step.a) && named(cache, "b", step.b) })
		t.Logf("%s: in force after %v", step.name, took.Round(10*time.Microsecond))
	}
}

func TestRetiredSecretsAreHeardOf(t *testing.T) {
	cache, url := watched(t)
	retired := func(want int) func() bool {
		return func() bool {
			client, err := cache.Find(context.Background(), "a")
			return err == nil && len(client.RetiredSecrets) == want
		}
	}
	until(t, "none", time.Second, retired(0))
	for _, step := range []struct {
		sql  string
		want int
	}{
		{"INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('a', 'x', now()), ('a', 'y', now())", 2},
		{"DELETE FROM oauth_client_retired_secret WHERE secret_hash = 'x'", 1},
		{"UPDATE oauth_client_retired_secret SET client_id = 'b'", 0},
		{"UPDATE oauth_client_retired_secret SET client_id = 'a'", 1},
		{"TRUNCATE oauth_client_retired_secret", 0},
	} {
		apptest.Psql(t, url, step.sql)
		until(t, step.sql, time.Second, retired(step.want))
	}
}

// A full cache makes no queries. Writes of the servers themselves do not invalidate it.
func TestWarmCacheIsQuiet(t *testing.T) {
	cache, url := watched(t)
	apptest.Psql(t, url, "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('a', 'x', now() + interval '1 hour')")
	until(t, "the secret", time.Second, func() bool {
		client, err := cache.Find(context.Background(), "a")
		return err == nil && len(client.RetiredSecrets) == 1
	})
	var loads int64
	for range 5 { // if the machine pauses, the cache rightly reads again
		before := cache.Loads()
		apptest.Psql(t, url, "UPDATE oauth_client_retired_secret SET last_used_at = now()")
		for began := time.Now(); time.Since(began) < 1500*time.Millisecond; time.Sleep(time.Millisecond) {
			if !named(cache, "a", "first") {
				t.Fatal("the client is gone")
			}
		}
		if loads = cache.Loads() - before; loads == 0 {
			return
		}
	}
	t.Errorf("%d queries", loads)
}

// The listening connection is ended again and again. Every change is in force within a second, and the
// cache reconnects by itself.
func TestListenerIsKilled(t *testing.T) {
	cache, url := watched(t)
	for i := range 5 {
		names := []string{"odd", "even"}
		until(t, "the cache to listen again", 3*time.Second, cache.Hearing)
		named(cache, "a", "")
		apptest.Psql(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN chit_client' OR query LIKE '-- heartbeat%'")
		apptest.Psql(t, url, "UPDATE oauth_client SET client_name = '"+names[i%2]+"' WHERE client_id = 'a'")
		took := until(t, "the change", time.Second, func() bool { return named(cache, "a", names[i%2]) })
		t.Logf("in force after %v", took.Round(10*time.Microsecond))
	}
}

// noticed is the limit for a change without a trigger: one second, and another one for a busy machine.
const noticed = 3 * time.Second

// Changes that bypass the triggers are in force within a second, too.
func TestChangesWithoutATriggerAreNoticed(t *testing.T) {
	swap := "CREATE TABLE other (LIKE oauth_client INCLUDING ALL); INSERT INTO other SELECT * FROM oauth_client; UPDATE other SET client_name = 'second';"
	for what, sql := range map[string]string{
		"a table that takes its place":     swap + "BEGIN; ALTER TABLE oauth_client RENAME TO former; ALTER TABLE other RENAME TO oauth_client; COMMIT",
		"a view that takes its place":      swap + "BEGIN; ALTER TABLE oauth_client RENAME TO former; CREATE VIEW oauth_client AS SELECT * FROM other; COMMIT",
		"ALTER TABLE USING":                "ALTER TABLE oauth_client ALTER COLUMN client_name TYPE text USING 'second'",
		"triggers disabled":                "ALTER TABLE oauth_client DISABLE TRIGGER USER; UPDATE oauth_client SET client_name = 'second'",
		"triggers disabled for a moment":   "BEGIN; ALTER TABLE oauth_client DISABLE TRIGGER ALL; UPDATE oauth_client SET client_name = 'second'; ALTER TABLE oauth_client ENABLE TRIGGER ALL; COMMIT",
		"a trigger dropped":                "DROP TRIGGER oauth_client_notify_update ON oauth_client; UPDATE oauth_client SET client_name = 'second'",
		"session_replication_role":         "BEGIN; SET LOCAL session_replication_role = replica; UPDATE oauth_client SET client_name = 'second'; COMMIT",
		"another schema ahead in the path": "CREATE SCHEMA ahead; CREATE TABLE ahead.oauth_client AS SELECT * FROM oauth_client; UPDATE ahead.oauth_client SET client_name = 'second'; BEGIN; DROP TABLE oauth_client; ALTER TABLE ahead.oauth_client SET SCHEMA public; COMMIT",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cache, url := watched(t)
			if !named(cache, "a", "first") {
				t.Fatal("no client")
			}
			apptest.Psql(t, url, sql)
			took := until(t, "the change", noticed, func() bool { return named(cache, "a", "second") })
			t.Logf("in force after %v", took.Round(time.Millisecond))
			time.Sleep(500 * time.Millisecond)
			apptest.Psql(t, url, "UPDATE oauth_client SET client_name = 'third'")
			until(t, "the next change", noticed, func() bool { return named(cache, "a", "third") })
		})
	}
	t.Run("DROP TABLE", func(t *testing.T) {
		cache, url := watched(t)
		named(cache, "a", "first")
		apptest.Psql(t, url, "DROP TABLE oauth_client")
		until(t, "an error", noticed, func() bool {
			_, err := cache.Find(context.Background(), "a")
			return errors.Is(err, models.ErrUnavailable)
		})
	})
}
