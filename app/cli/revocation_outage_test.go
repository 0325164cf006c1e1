package cli_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// stops has the moments at which Redis stops, and the message that the operator reads. I stands for a time,
// E for the cause.
var stops = []struct {
	name, command, args string
	nth                 int
	want                string
}{
	{"in the middle", "pexpire", "token revoke --client billing-job --yes", 1001,
		"the tokens of billing-job are inactive as of I; 1,000 of 5,000 keys were removed before Redis stopped answering: E; run the command again to remove the rest, or leave them: they expire by themselves"},
	{"at the beginning", "zcard", "client disable billing-job --yes", 1,
		"client billing-job is disabled, and its tokens are inactive as of I; 0 keys were removed before Redis stopped answering: E; run the command again to remove the rest, or leave them: they expire by themselves"},
	{"all clients", "pexpire", "token revoke --all --yes", 1,
		"all tokens are inactive as of I; 0 keys were removed before Redis stopped answering: E; run the command again to remove the rest, or leave them: they expire by themselves"},
	{"a secret is printed nevertheless", "zcard", "client rotate-secret billing-job --revoke-tokens --yes", 1,
		"the tokens of billing-job are inactive as of I; 0 keys were removed before Redis stopped answering: E; `chit token revoke --client billing-job` removes the rest, or leave them: they expire by themselves"},
	{"deleted", "pexpire", "client delete billing-job --yes", 501,
		"client billing-job is deleted, and its tokens are inactive; 500 of 4,000 keys were removed before Redis stopped answering: E; `chit token revoke --client billing-job` removes the rest: run it before a client of this id is registered again"},
}

// If Redis stops, the message says what is done, what is not, and what to do.
func TestRevocationSaysWhatRedisHasNotDone(t *testing.T) {
	t.Parallel()
	r := startRevoking(t)
	for _, row := range stops {
		t.Run(row.name, func(t *testing.T) {
			stopping := startProxy(t, r.redis.URL)
			stopping.at(row.nth, row.command, stopping.close)
			env := []string{r.env[0], "CHIT_REDIS_URL=" + stopping.URL}
			got := apptest.Chit(t, env, strings.Fields(row.args)...)
			if got.Status != 1 || strings.Contains(got.Stdout, "chits_") != strings.Contains(row.args, "rotate") {
				t.Errorf("%+v", got)
			}
			if !likeness(row.want).MatchString(got.Stderr) {
				t.Errorf("it says\n%s, want\n%s", got.Stderr, row.want)
			}
			apptest.Eventually(t, apptest.Soon, "all are inactive", func() bool { return r.activeSamples(t) == 0 })
		})
	}
	if r.keys(t, r.others) != 1 {
		t.Error("the other client's key is gone")
	}
	if got := apptest.Chit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes"); got.Status != 0 || got.Stdout != "there is no client billing-job, and so its tokens are inactive; 3,500 keys were removed from Redis\n" {
		t.Errorf("what a deleted client has left: %+v", got)
	}
	if got := apptest.Chit(t, r.env, "token", "revoke", "--client", "billing-job", "--yes"); got.Status != 1 || got.Stderr != "chit: there is no client \"billing-job\" and no token of such a client\n" {
		t.Errorf("and once more: %+v", got)
	}
}

// likeness matches a message of chit with any time for I and any cause for E.
func likeness(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta("chit: " + text + "\n")
	quoted = strings.Replace(quoted, "as of I;", `as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC;`, 1)
	return regexp.MustCompile("^" + strings.Replace(quoted, ": E;", ": redis: [^;]+;", 1) + "$")
}

// If the database does not answer, nothing is done in Redis.
func TestRevocationWithoutTheDatabaseDoesNothing(t *testing.T) {
	t.Parallel()
	redis := apptest.StartRedis(t)
	redis.CLI("ZADD", "oauth:client:billing-job:tokens", "1", "x")
	env := []string{"CHIT_DATABASE_URL=postgres://chit@" + apptest.Nobody + "/chit?sslmode=disable", "CHIT_REDIS_URL=" + redis.URL}
	for _, args := range []string{"token revoke --client billing-job --yes", "token revoke --all --yes", "client disable billing-job --yes", "client delete billing-job --yes"} {
		got := apptest.Chit(t, env, strings.Fields(args)...)
		want := "chit: the database has not confirmed the change, so no key was removed from Redis; run the command again: cannot reach the database: "
		if got.Status != 1 || !strings.HasPrefix(got.Stderr, want) || !apptest.IsOneLine(got.Stderr) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if redis.CLI("EXISTS", "oauth:client:billing-job:tokens") != "1" {
		t.Error("the index is gone")
	}
}

// The revocation of one token is acknowledged by Redis, or the command fails.
func TestRevocationOfOneTokenWithoutRedis(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	store := &tokens.Store{Redis: redis.Client(), Prefix: "chit", Now: time.Now}
	token, issued, err := store.Issue(t.Context(), models.Grant{ClientID: "billing-job", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	stopping := startProxy(t, redis.URL)
	stopping.at(1, "del", stopping.close)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + stopping.URL}
	got := apptest.ChitWith(t, token, env, "token", "revoke", "--token", "-")
	if got.Status != 1 || !strings.HasPrefix(got.Stderr, "chit: the revocation is not acknowledged, and the token may still be active: run the command again: redis: ") {
		t.Errorf("%+v", got)
	}
	got = apptest.Chit(t, env, "token", "revoke", "--id", issued.ID)
	if got.Status != 1 || !strings.HasPrefix(got.Stderr, "chit: the token is not revoked: run the command again: redis: ") {
		t.Errorf("%+v", got)
	}
	if redis.CLI("EXISTS", "oauth:token:"+issued.ID) != "1" {
		t.Error("the key is gone")
	}
}

// If another transaction has locked the row, the command waits.
func TestRevocationWaitsForALockedRow(t *testing.T) {
	t.Parallel()
	database, redis := apptest.Migrated(t), apptest.StartRedis(t)
	env := []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis.URL}
	apptest.Create(t, env, "billing-job")
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) }) //nolint:errcheck // the test is over
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE oauth_client SET tokens_revoked_before = '2999-01-01 00:00:00Z'"); err != nil {
		t.Fatal(err)
	}
	p := apptest.LaunchChit(t, env, "token", "revoke", "--client", "billing-job", "--yes")
	time.Sleep(300 * time.Millisecond)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state := p.Ended(10 * time.Second); state.ExitCode() != 0 || !strings.Contains(p.Stdout.String(), "as of 2999-01-01 00:00:00.000 UTC") {
		t.Errorf("%v: %s%s", state, p.Stdout.String(), p.Stderr.String())
	}
}
