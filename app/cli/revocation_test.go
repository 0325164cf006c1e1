package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// many is the number of active tokens of billing-job in these tests. A purge of them takes ten round trips.
const many = 5000

// revoking is a server on PostgreSQL and Redis with two clients that have tokens. The commands reach Redis
// through a proxy. The server reaches it directly.
type revoking struct {
	*apptest.Process
	env         []string
	database    string
	redis       *apptest.Redis
	proxy       *proxy
	store       *tokens.Store
	ids, others []string // of billing-job, and of report-job
	samples     []string // tokens of billing-job
	other       string   // a token of report-job
}

func startRevoking(t *testing.T) *revoking {
	t.Helper()
	r := &revoking{database: apptest.Migrated(t), redis: apptest.StartRedis(t)}
	r.proxy = startProxy(t, r.redis.URL)
	r.env = []string{"CHIT_DATABASE_URL=" + r.database, "CHIT_REDIS_URL=" + r.proxy.URL}
	r.Process = apptest.StartChit(t, []string{"CHIT_DATABASE_URL=" + r.database, "CHIT_REDIS_URL=" + r.redis.URL})
	for _, id := range []string{"billing-job", "report-job", "api"} {
		apptest.Psql(t, r.database, "INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('"+id+"', '"+models.HashSecret(id)+"', "+fmt.Sprint(id == "api")+")")
	}
	r.store = &tokens.Store{Redis: r.redis.Client(), Prefix: "chit", Now: time.Now}
	for i := range many {
		token, id := r.issue(t, "billing-job")
		r.ids = append(r.ids, id)
		if i%(many/50) == 0 {
			r.samples = append(r.samples, token)
		}
	}
	var id string
	r.other, id = r.issue(t, "report-job")
	r.others = []string{id}
	if got := r.activeSamples(t); got != len(r.samples) || !r.active(t, r.other) {
		t.Fatalf("before: %d of %d samples are active", got, len(r.samples))
	}
	return r
}

func (r *revoking) issue(t *testing.T, client string) (token, id string) {
	t.Helper()
	token, issued, err := r.store.Issue(t.Context(), models.Grant{ClientID: client, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return token, issued.ID
}

func (r *revoking) active(t *testing.T, token string) bool {
	t.Helper()
	answer := r.Post("/introspect", "api", "api", "token="+token)
	if answer.Status != http.StatusOK {
		t.Fatalf("no introspection: %d %s", answer.Status, answer.Body)
	}
	return answer.JSON()["active"] == true
}

func (r *revoking) activeSamples(t *testing.T) (count int) {
	t.Helper()
	for _, token := range r.samples {
		if r.active(t, token) {
			count++
		}
	}
	return count
}

// keys returns how many of these tokens have a key in Redis.
func (r *revoking) keys(t *testing.T, ids []string) int {
	t.Helper()
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = "oauth:token:" + id
	}
	count, err := r.redis.Client().Exists(context.Background(), names...).Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(count)
}

// All tokens are inactive after the first write of the command, before a key is deleted.
func TestRevocationIsInForceBeforeKeysAreRemoved(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	held, release := make(chan struct{}), make(chan struct{})
	r.proxy.at(1, "zcard", func() { close(held); <-release })
	p := apptest.LaunchChit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes")
	select {
	case <-held:
	case <-p.Exited:
		t.Fatalf("it ended: %s%s", p.Stdout.String(), p.Stderr.String())
	}
	apptest.Eventually(t, apptest.Soon, "all are inactive", func() bool { return r.activeSamples(t) == 0 })
	if keys := r.keys(t, r.ids); keys != many {
		t.Errorf("%d keys are left already", keys)
	}
	if !r.active(t, r.other) {
		t.Error("a token of another client is inactive")
	}
	during := r.Token("billing-job", "billing-job")
	if !r.active(t, during) {
		t.Error("a token that was issued afterwards is inactive")
	}
	close(release)
	if state := p.Ended(30 * time.Second); state.ExitCode() != 0 {
		t.Fatalf("%v: %s", state, p.Stderr.String())
	}
	if got := p.Stdout.String(); !strings.HasPrefix(got, "the tokens of billing-job are inactive as of ") || !strings.HasSuffix(got, " UTC; 5,000 keys were removed from Redis\n") || p.Stderr.String() != "" {
		t.Errorf("it says %q, %q", got, p.Stderr.String())
	}
	if left := r.keys(t, r.ids); left != 0 {
		t.Errorf("%d keys are left", left)
	}
	if got := r.redis.CLI("ZRANGE", "oauth:client:billing-job:tokens", "0", "-1"); got != tokens.ID(during) {
		t.Errorf("the index holds %q", got)
	}
	if !r.active(t, during) || !r.active(t, r.Token("billing-job", "billing-job")) || !r.active(t, r.other) {
		t.Error("a token that was issued during it or after, or one of another client, is inactive")
	}
}

func TestRevocationIsInterruptedAndGoesOn(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	running := make(chan *apptest.Process, 1)
	r.proxy.at(3, "zrem", func() {
		(<-running).Signal(syscall.SIGINT)
		time.Sleep(200 * time.Millisecond) // for it to arrive
	})
	p := apptest.LaunchChit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes")
	running <- p
	if state := p.Ended(30 * time.Second); state.ExitCode() != 1 {
		t.Fatalf("%v: %s", state, p.Stderr.String())
	}
	const want = " UTC; 1,500 of 5,000 keys were removed before the interruption; run the command again to remove the rest, or leave them: they expire by themselves\n"
	if got := p.Stderr.String(); !strings.HasPrefix(got, "chit: the tokens of billing-job are inactive as of 20") || !strings.HasSuffix(got, want) || p.Stdout.String() != "" {
		t.Errorf("it says %q", got)
	}
	if r.keys(t, r.ids) != many-1500 || r.redis.CLI("ZCARD", "oauth:client:billing-job:tokens") != "3500" {
		t.Errorf("%d keys are left", r.keys(t, r.ids))
	}
	if got := r.activeSamples(t); got != 0 {
		t.Errorf("%d samples are active", got)
	}
	again := apptest.Chit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes", "--output", "json")
	var view struct {
		ClientID string `json:"client_id"`
		Before   int64  `json:"tokens_revoked_before"`
		Removed  int    `json:"keys_removed"`
	}
	if err := json.Unmarshal([]byte(again.Stdout), &view); err != nil || again.Status != 0 || view.ClientID != "billing-job" || view.Removed != 3500 {
		t.Errorf("again: %+v, %+v, %v", again, view, err)
	}
	if age := time.Since(time.Unix(view.Before, 0)); age < 0 || age > time.Minute {
		t.Errorf("revoked before %d", view.Before)
	}
	if left := r.keys(t, r.ids); left != 0 || !r.active(t, r.other) {
		t.Errorf("%d keys are left", left)
	}
}

// Ending all tokens of a client is one event, however many keys are deleted.
func TestPurgeIsOneEvent(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	stream := apptest.Receive(t, r.URL, "api", "api")
	stream.Quiet(1)
	if end := apptest.Chit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes"); end.Status != 0 {
		t.Fatal(end.Stderr)
	}
	changes := stream.Quiet(2)
	if len(changes) != 1 || changes[0].Name != "client" || changes[0].Data != `{"client_id":"billing-job"}` {
		t.Errorf("%d events: %.300v", len(changes), changes)
	}
	if keys := r.redis.CLI("KEYS", "oauth:token:*"); keys != "oauth:token:"+r.others[0] {
		t.Errorf("keys are left: %.300s", keys)
	}
}
