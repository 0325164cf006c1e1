package pages_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// BenchmarkPages has 10,000 clients, and a client with 100,000 live tokens, in PostgreSQL and Redis. An operation
// is a page.
func BenchmarkPages(b *testing.B) {
	s := apptest.Real(b)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, client_name, allowed_scopes) SELECT 'client-' || lpad(i::text, 5, '0'), '" + models.HashSecret(secret) + "', 'Client ' || i, 'chit:admin' FROM generate_series(0, 9999) i")
	fill(b, s, 100_000)
	cookie := login(b, s)
	for name, path := range map[string]string{
		"overview":                 "/",
		"clients, the first page":  "/clients",
		"clients, by the last use": "/clients?sort=last_used_at",
		"clients, by a text":       "/clients?query=999",
		"clients, the last page":   "/clients?offset=9950",
		"a client":                 "/client?id=client-00001",
		"its tokens":               "/client/tokens?id=client-00001",
		"audit":                    "/audit",
		"end all, the question":    "/tokens/revoke",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				request, _ := http.NewRequest("GET", s.OpsURL+path, nil)
				request.AddCookie(cookie)
				if got := apptest.Send(b, request); got.Status != http.StatusOK || len(got.Body) < 1000 {
					b.Fatalf("%d %s", got.Status, got.Body)
				}
			}
		})
	}
}

// login returns the cookie of a session.
func login(b *testing.B, s *apptest.Server) *http.Cookie {
	b.Helper()
	return &http.Cookie{Name: "chit_session", Value: s.Token("client-00000", secret)}
}

// fill issues tokens for client-00001.
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
