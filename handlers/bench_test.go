package handlers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/handlers"
	"chit/models"
	"chit/throttle"
	"chit/tokens"
	"chit/usage"
)

// inMemory has one client and one token, without a network.
type inMemory struct {
	client *models.Client
	token  models.AccessToken
}

func (m *inMemory) Find(context.Context, string) (*models.Client, error) { return m.client, nil }
func (m *inMemory) Knows(string) bool                                    { return true }
func (m *inMemory) FindSince(context.Context, string, time.Time) (*models.Client, error) {
	return m.client, nil
}

// inMemoryTokens does what tokens.Store does, except for the network.
type inMemoryTokens struct{ *inMemory }

func (m inMemoryTokens) Issue(_ context.Context, grant models.Grant) (string, models.AccessToken, error) {
	token := tokens.Mint("chit")
	return token, models.AccessToken{ID: tokens.ID(token), ClientID: grant.ClientID, Scope: grant.Scope, IssuedAt: m.token.IssuedAt, ExpiresAt: m.token.ExpiresAt}, nil
}

func (m inMemoryTokens) Find(_ context.Context, token string) (models.AccessToken, error) {
	if !tokens.Recognise(token) {
		return models.AccessToken{}, models.ErrTokenNotFound
	}
	found := m.token
	found.ID = tokens.ID(token)
	return found, nil
}

func (m inMemoryTokens) Revoke(context.Context, models.AccessToken) error { return nil }
func (m inMemoryTokens) Settle(context.Context) error                     { return nil }

// newAPI returns an API without Redis. It has no tokens.
func newAPI(clients handlers.Clients) *handlers.API {
	return &handlers.API{
		Current: func() bool { return true },
		Clients: clients, OnRetired: func(models.RetiredSecret) {}, Usage: usage.New(time.Now, 0, nil),
		Issuer: "http://localhost:8080", TokenTTL: time.Hour, Timeout: 5 * time.Second, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Metrics: handlers.NewMetrics(prometheus.NewRegistry()),
		Failures: &throttle.Failures{PerClient: 100, PerAddress: 1000, Now: time.Now},
		Gates:    handlers.NewGates(1000, time.Second, prometheus.NewRegistry()),
	}
}

// discarding is a response writer that discards everything.
type discarding struct{ header http.Header }

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) Write(p []byte) (int, error) { return len(p), nil }
func (d *discarding) WriteHeader(int)             {}

// BenchmarkEndpoints measures the path of a request through the handlers, including the log and the
// metrics, but without the network, Redis and the database.
func BenchmarkEndpoints(b *testing.B) {
	memory := &inMemory{
		client: &models.Client{ClientID: "alice", ClientSecretHash: models.HashSecret(secret), AllowedScopes: "read write", GrantTypes: models.ClientCredentials},
		token:  models.AccessToken{ClientID: "alice", Scope: "read write", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)},
	}
	api := newAPI(memory)
	api.Tokens = inMemoryTokens{memory}
	handler := api.Handler()
	for _, row := range []struct{ name, path, form string }{
		{"token", "/token", "grant_type=client_credentials&scope=read"},
		{"introspect", "/introspect", "token=" + tokens.Mint("chit")},
		{"introspect a malformed token", "/introspect", "token=" + tokens.Mint("chit") + "x"},
		{"revoke", "/revoke", "token=" + tokens.Mint("chit")},
	} {
		b.Run(row.name, func(b *testing.B) {
			body := strings.NewReader(row.form)
			request := httptest.NewRequest(http.MethodPost, row.path, body)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.SetBasicAuth("alice", secret)
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(row.form)
				handler.ServeHTTP(&discarding{http.Header{}}, request)
			}
		})
	}
}
