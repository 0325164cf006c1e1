package app_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// load asks a node for tokens and introspections of one client until it is stopped. failed counts the wrong
// answers.
type load struct {
	requests, failed atomic.Int64
	first            atomic.Pointer[string] // description of the first one
	stop             func()
}

func startLoad(nodes []*apptest.Server, client, secret string) *load {
	l := &load{}
	done := make(chan struct{})
	var wait sync.WaitGroup
	for _, node := range nodes {
		for range 2 {
			wait.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						l.once(node, client, secret)
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
	}
	l.stop = sync.OnceFunc(func() { close(done); wait.Wait() })
	return l
}

func (l *load) once(node *apptest.Server, client, secret string) {
	issued := node.Post("/token", client, secret, "grant_type=client_credentials")
	l.count(issued, issued.Status == http.StatusOK)
	asked := node.Post("/introspect", client, secret, "token="+issued.Text("access_token"))
	l.count(asked, asked.JSON()["active"] == true)
}

func (l *load) count(answer apptest.Answer, good bool) {
	l.requests.Add(1)
	if !good {
		l.failed.Add(1)
		what := fmt.Sprint(answer.Status, " ", answer.Body)
		l.first.CompareAndSwap(nil, &what)
	}
}

// check fails the test if a request has failed.
func (l *load) check(t *testing.T, during string) {
	t.Helper()
	l.stop()
	t.Logf("%s: %d requests, %d failed", during, l.requests.Load(), l.failed.Load())
	if l.failed.Load() > 0 || l.requests.Load() == 0 {
		first := l.first.Load()
		if first == nil {
			first = new(string)
		}
		t.Errorf("%s: %d of %d requests failed, the first with %s", during, l.failed.Load(), l.requests.Load(), *first)
	}
}

// twoNodes starts two nodes on one database and one Redis, with one client that changes and one that does
// not.
func twoNodes(t *testing.T, postgres string) []*apptest.Server {
	t.Helper()
	one := apptest.On(t, postgres, apptest.StartRedis(t))
	for _, client := range []string{"changing", "steady"} {
		one.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + client + "', '" + models.HashSecret("secret") + "', 'read')")
	}
	return []*apptest.Server{one, one.Another()}
}

// Any change by SQL is in force on both nodes within a second, under load. That holds with the listening
// connections in place, after they were killed, and after they are back.
func TestChangesAreInForceOnEveryNode(t *testing.T) {
	nodes := twoNodes(t, apptest.Database(t))
	steady := startLoad(nodes, "steady", "secret")
	defer steady.stop()
	kill := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN chit_client' OR query LIKE '-- heartbeat%';"
	for _, round := range []struct{ name, before string }{{"listening", ""}, {"listeners killed", kill}, {"listening again", ""}} {
		for _, change := range []struct {
			name, sql, want string // status and scope of a token request
		}{
			{"scopes", "UPDATE oauth_client SET allowed_scopes = 'write' WHERE client_id = 'changing'", "200 write"},
			{"secret", "UPDATE oauth_client SET client_secret_hash = 'x' WHERE client_id = 'changing'", "401 "},
			{"retired secret", "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('changing', '" + models.HashSecret("secret") + "', now() + interval '1 hour')", "200 write"},
			{"disabled", "UPDATE oauth_client SET disabled_at = now() WHERE client_id = 'changing'", "401 "},
			{"enabled", "UPDATE oauth_client SET disabled_at = NULL WHERE client_id = 'changing'", "200 write"},
			{"deleted", "DELETE FROM oauth_client WHERE client_id = 'changing'", "401 "},
			{"inserted after a refusal", "INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('changing', '" + models.HashSecret("secret") + "', 'read')", "200 read"},
			{"10,000 rows", "BEGIN; INSERT INTO oauth_client (client_id) SELECT 'bulk' || i FROM generate_series(1, 10000) AS i ON CONFLICT DO NOTHING; UPDATE oauth_client SET allowed_scopes = 'bulk'; DELETE FROM oauth_client WHERE client_id LIKE 'bulk%'; COMMIT", "200 bulk"},
			{"restored", "UPDATE oauth_client SET allowed_scopes = 'read'", "200 read"},
		} {
			nodes[0].Exec(round.before + change.sql)
			took := waitForBoth(t, nodes, change.want)
			t.Logf("%s: %s: in force on both nodes after %v", round.name, change.name, took.Round(100*time.Microsecond))
			if took > time.Second {
				t.Errorf("%s: %s took %v", round.name, change.name, took)
			}
		}
	}
	steady.check(t, "the client that nobody changed")
}

func waitForBoth(t *testing.T, nodes []*apptest.Server, want string) time.Duration {
	t.Helper()
	began := time.Now()
	for _, node := range nodes {
		for {
			answer := node.Post("/token", "changing", "secret", "grant_type=client_credentials")
			got := fmt.Sprint(answer.Status, " ", answer.Text("scope"))
			if got == want {
				break
			}
			if time.Since(began) > 3*time.Second {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
	return time.Since(began)
}

// TRUNCATE has its own test, because it deletes every client.
func TestTruncateIsInForceOnEveryNode(t *testing.T) {
	nodes := twoNodes(t, apptest.Database(t))
	waitForBoth(t, nodes, "200 read")
	nodes[0].Exec("TRUNCATE oauth_client")
	if took := waitForBoth(t, nodes, "401 "); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// PostgreSQL stops and comes back, and a known client loses no request. CHIT_TEST_OUTAGE sets the duration;
// the default is 5s.
func TestDatabaseOutageCostsKnownClientsNothing(t *testing.T) {
	outage := 5 * time.Second
	if text := os.Getenv("CHIT_TEST_OUTAGE"); text != "" {
		parsed, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal("CHIT_TEST_OUTAGE:", err)
		}
		outage = parsed
	}
	postgres := apptest.StartPostgreSQL(t)
	nodes := twoNodes(t, postgres.URL)
	for _, node := range nodes {
		node.Token("steady", "secret")
	}
	known := startLoad(nodes, "steady", "secret")
	defer known.stop()
	postgres.Stop()
	time.Sleep(outage)
	if answer := nodes[0].Post("/token", "unknown", "secret", "grant_type=client_credentials"); answer.Status != 503 {
		t.Errorf("an unknown client: %d %s", answer.Status, answer.Body)
	}
	postgres.Start()
	nodes[0].Exec("UPDATE oauth_client SET allowed_scopes = 'changed' WHERE client_id = 'changing'")
	if took := waitForBoth(t, nodes, "200 changed"); took > time.Second {
		t.Errorf("a change after the outage took %v", took)
	}
	known.check(t, fmt.Sprint("PostgreSQL stopped for ", outage))
}

// During a rotation with overlap, under load, the old secret keeps working, and the new one works as soon
// as it is printed.
func TestRotationCostsNoRequest(t *testing.T) {
	nodes := twoNodes(t, apptest.Database(t))
	old := startLoad(nodes, "changing", "secret")
	defer old.stop()
	env := []string{"CHIT_DATABASE_URL=" + nodes[0].DatabaseURL, "CHIT_REDIS_URL=" + nodes[0].RedisURL}
	rotated := apptest.Chit(t, env, "client", "rotate-secret", "changing", "--overlap", "1h", "--output", "json")
	_, rest, _ := strings.Cut(rotated.Stdout, `"client_secret": "`)
	secret, _, _ := strings.Cut(rest, `"`)
	for _, node := range nodes {
		node.Token("changing", secret)
	}
	fresh := startLoad(nodes, "changing", secret)
	defer fresh.stop()
	time.Sleep(time.Second)
	old.check(t, "the old secret")
	fresh.check(t, "the new secret")
	if shown := apptest.Chit(t, env, "client", "show", "changing", "--output", "json"); !strings.Contains(shown.Stdout, `"last_used_at": 1`) {
		t.Errorf("the use of the old secret does not show: %v", shown)
	}
	if !strings.Contains(nodes[0].Log(), `"retired_secret":true`) {
		t.Error("the use of the old secret is not in the log")
	}
}
