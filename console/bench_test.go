package console_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// BenchmarkPages has 10,000 clients, and a client with 100,000 live tokens, in PostgreSQL and Redis. An
// operation is a page of the default size.
func BenchmarkPages(b *testing.B) {
	s := apptest.Real(b)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, client_name, allowed_scopes) SELECT 'client-' || lpad(i::text, 5, '0'), '" + models.HashSecret(secret) + "', 'Client ' || i, 'chit:read' FROM generate_series(0, 9999) i")
	fill(b, s, 100_000)
	bearer := "Bearer " + s.Token("client-00000", secret)
	for name, path := range map[string]string{
		"clients, the first":     "/admin/clients",
		"clients, in the middle": "/admin/clients?after=client-05000",
		"clients, by a text":     "/admin/clients?query=999",
		"tokens, the first":      "/admin/clients/client-00001/tokens",
		"tokens, in the middle":  "/admin/clients/client-00001/tokens?after=" + middle(b, s),
		"tokens, of 500":         "/admin/clients/client-00001/tokens?limit=500",
		"stats":                  "/admin/stats",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				request, _ := http.NewRequest("GET", s.OpsURL+path, nil)
				request.Header.Set("Authorization", bearer)
				if got := apptest.Send(b, request); got.Status != http.StatusOK || len(got.Body) < 100 {
					b.Fatalf("%d %s", got.Status, got.Body)
				}
			}
		})
	}
}

// fill issues tokens for client-00001. They expire within a second of each other.
func fill(b *testing.B, s *apptest.Server, count int) {
	store := &tokens.Store{Redis: s.RedisClient(), Prefix: "chit", Now: time.Now}
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			for range count / 100 {
				if _, _, err := store.Issue(context.Background(), models.Grant{ClientID: "client-00001", TTL: time.Hour}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// middle returns the cursor after half of the tokens.
func middle(b *testing.B, s *apptest.Server) string {
	store := &tokens.Store{Redis: s.RedisClient(), Now: time.Now}
	after := ""
	for range 100 {
		_, next, err := store.Page(b.Context(), "client-00001", after, tokens.MaxPage)
		if err != nil {
			b.Fatal(err)
		}
		after = next
	}
	return fmt.Sprint(after)
}

// BenchmarkEndingAMillionTokens ends a million tokens of one client. An operation is the request. It also
// reports how long the work in the background took.
func BenchmarkEndingAMillionTokens(b *testing.B) {
	s := apptest.Real(b)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('ops', '" + models.HashSecret(secret) + "', 'chit:admin'), ('client-00001', '', '')")
	fill(b, s, 1_000_000)
	bearer := "Bearer " + s.Token("ops", secret)
	send := func(method, path string) apptest.Answer {
		request, _ := http.NewRequest(method, s.OpsURL+path, nil)
		request.Header.Set("Authorization", bearer)
		return apptest.Send(b, request)
	}
	b.ResetTimer()
	began := time.Now()
	if got := send("DELETE", "/admin/clients/client-00001/tokens"); got.Status != http.StatusAccepted {
		b.Fatalf("%d %s", got.Status, got.Body)
	}
	b.StopTimer()
	apptest.Eventually(b, 10*time.Minute, "the end of the work", func() bool {
		return strings.Contains(send("GET", "/admin/stats").Body, `"keys_removed":1000000}`)
	})
	b.ReportMetric(time.Since(began).Seconds(), "s-of-work")
}
