package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/audit"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// The latest events come first. Frequent events do not push out rare ones.
func TestTrail(t *testing.T) {
	trail := audit.New("node", nil)
	began := time.Now()
	note := func(i int, name, client string) {
		trail.Note(audit.Event{At: began.Add(time.Duration(i) * time.Second), Name: name, ClientID: client})
	}
	note(0, "client_created", "a")
	for i := range 1200 {
		note(i+1, "retired_secret_used", fmt.Sprint("c", i%2))
	}
	note(1300, "client_deleted", "a")
	all := trail.Latest(audit.Filter{}, 10_000)
	if len(all) != 502 || all[0].Name != "client_deleted" || all[1].At.Sub(began) != 1200*time.Second || all[501].Name != "client_created" || all[0].Node != "node" {
		t.Errorf("%d events: %+v … %+v", len(all), all[:2], all[len(all)-1])
	}
	for _, row := range []struct {
		filter audit.Filter
		limit  int
		want   int
	}{
		{audit.Filter{ClientID: "a"}, 10, 2},
		{audit.Filter{ClientID: "a", Name: "client_created"}, 10, 1},
		{audit.Filter{Name: "retired_secret_used"}, 10, 10},
		{audit.Filter{Name: "other"}, 10, 0},
	} {
		if got := trail.Latest(row.filter, row.limit); len(got) != row.want {
			t.Errorf("%+v: %d events, want %d", row.filter, len(got), row.want)
		}
	}
}

func TestShared(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"miniredis": redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()}),
		"redis":     apptest.StartRedis(t).Client(),
	} {
		t.Run(name, func(t *testing.T) {
			shared := audit.NewShared(client, 1000)
			event := audit.Event{At: time.UnixMilli(1_700_000_000_123), Name: "client_updated", ClientID: "a", Operator: "ops", TokenID: "t", Remote: "r", RequestID: "q", Node: "n", Detail: "d → e"}
			if err := shared.Write(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			for i := range 1200 { // more than are read in one round trip, and more than are kept
				other := audit.Event{Name: "token_revoked", ClientID: fmt.Sprint("c", i%2)}
				if err := shared.Write(t.Context(), other); err != nil {
					t.Fatal(err)
				}
			}
			if found, err := shared.Latest(t.Context(), audit.Filter{Name: "client_updated"}, 10); err != nil || len(found) == 0 || found[0] != event {
				t.Errorf("%+v, %v", found, err)
			}
			if found, err := shared.Latest(t.Context(), audit.Filter{ClientID: "c1"}, 520); err != nil || len(found) < 450 {
				t.Errorf("%d events, %v", len(found), err)
			}
			if length := client.XLen(t.Context(), "oauth:audit:token_revoked").Val(); length < 1000 || length > 1150 {
				t.Errorf("%d events are kept", length)
			}
			if left := client.TTL(t.Context(), "oauth:audit:token_revoked").Val(); left <= 0 || left > 30*24*time.Hour {
				t.Errorf("the key expires in %v", left)
			}
		})
	}
}

// What is sent is written in the background, also what waits at the end.
func TestSending(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	shared := audit.NewShared(client, 1000)
	ended := inBackground(t, shared, slog.New(slog.NewTextHandler(io.Discard, nil)), func() {
		for range 300 {
			shared.Send(audit.Event{Name: "token_revoked"})
		}
	})
	<-ended
	if length := client.XLen(t.Context(), "oauth:audit:token_revoked").Val(); length != 300 || shared.Dropped() != 0 {
		t.Errorf("%d events are kept, %d dropped", length, shared.Dropped())
	}
}

// Without Redis nobody waits, and there is one warning.
func TestSendingWithoutRedis(t *testing.T) {
	away := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: away.Addr(), MaxRetries: -1, DialerRetries: 1})
	away.Close()
	shared := audit.NewShared(client, 1000)
	var log strings.Builder
	ended := inBackground(t, shared, slog.New(slog.NewTextHandler(&log, nil)), func() {
		for range 5000 {
			shared.Send(audit.Event{Name: "token_revoked"})
		}
	})
	<-ended
	if shared.Dropped() != 5000 || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("%d events are dropped, the log: %s", shared.Dropped(), log.String())
	}
	if _, err := shared.Latest(t.Context(), audit.Filter{}, 1); !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// inBackground runs shared while it calls send. The channel is closed when Run has ended.
func inBackground(t *testing.T, shared *audit.Shared, log *slog.Logger, send func()) <-chan struct{} {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shared.Run(ctx, log)
	}()
	send()
	stop()
	return ended
}

func TestEventsOfTheLog(t *testing.T) {
	record := slog.NewRecord(time.Unix(1, 0), slog.LevelInfo, "operator", 0)
	record.AddAttrs(slog.String("event", "client_updated"), slog.String("operator", "ops"), slog.String("request_id", "q"), slog.String("operator_jti", "x"),
		slog.String("remote", "r"), slog.String("client_id", "a"),
		slog.Attr{Key: "before", Value: slog.GroupValue(slog.String("scope", ""), slog.Any("token_ttl_seconds", nil))},
		slog.Attr{Key: "after", Value: slog.GroupValue(slog.String("scope", "a b"), slog.Int64("token_ttl_seconds", 60))},
		slog.String("overlap", "24h0m0s"))
	want := audit.Event{
		At: time.Unix(1, 0), Name: "client_updated", ClientID: "a", Operator: "ops", Remote: "r", RequestID: "q",
		Detail: `scope none → "a b", token_ttl_seconds none → 60, overlap 24h0m0s`,
	}
	if got := audit.FromRecord(record); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	created := slog.NewRecord(time.Unix(1, 0), slog.LevelInfo, "operator", 0)
	created.AddAttrs(slog.Attr{Key: "after", Value: slog.GroupValue(slog.String("scope", "a"), slog.String("client_name", ""), slog.Bool("is_public", false), slog.Bool("is_resource_server", true))})
	if got := audit.FromRecord(created).Detail; got != `scope "a", is_resource_server true` {
		t.Errorf("%s", got)
	}
}
