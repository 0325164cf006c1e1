package repository_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"chit/migrations"
)

// reports passes on what an observer is told.
type reports struct {
	noObserver
	changed chan string
	proven  chan time.Time
}

func (r reports) ClientChanged(id string) { r.changed <- id }

func (r reports) Proven(until time.Time) {
	select {
	case r.proven <- until:
	default: // the test does not wait for it
	}
}

// polled returns a database with the clients a and b, and what Poll reports about it from now on.
func polled(t *testing.T) (suite, reports) {
	t.Helper()
	clients := opened(t, migrations.SQLite)
	clients.exec(t, "INSERT INTO oauth_client (client_id) VALUES ('a'), ('b')")
	observer := reports{changed: make(chan string, 100), proven: make(chan time.Time)}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		clients.Poll(ctx, observer, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-stopped
	})
	<-observer.proven
	return clients, observer
}

// Each change is reported before the proof that covers its time, and no other client is reported.
func TestPoll(t *testing.T) {
	clients, observer := polled(t)
	for _, step := range []struct{ name, sql, want string }{
		{"disabled", "UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'a'", "a"},
		{"renamed, which ends no token", "UPDATE oauth_client SET client_name = 'other' WHERE client_id = 'a'", ""},
		{"tokens revoked", "UPDATE oauth_client SET tokens_revoked_before = CURRENT_TIMESTAMP WHERE client_id = 'b'", "b"},
		{"secret retired", "INSERT INTO oauth_client_retired_secret (client_id, secret_hash, expires_at) VALUES ('b', 'x', CURRENT_TIMESTAMP)", "b"},
		{"retired secret used", "UPDATE oauth_client_retired_secret SET last_used_at = CURRENT_TIMESTAMP", ""},
		{"retired secret deleted", "DELETE FROM oauth_client_retired_secret", "b"},
		{"deleted", "DELETE FROM oauth_client WHERE client_id = 'a'", "a"},
		{"registered again, perhaps with a change since", "INSERT INTO oauth_client (client_id) VALUES ('a')", "a"},
	} {
		clients.exec(t, step.sql)
		done := time.Now()
		for until := range observer.proven {
			if until.After(done) {
				break
			}
		}
		var got string
		for len(observer.changed) > 0 {
			got += <-observer.changed
		}
		if got != step.want {
			t.Errorf("%s: the changes of %q were reported, not of %q", step.name, got, step.want)
		}
	}
}
