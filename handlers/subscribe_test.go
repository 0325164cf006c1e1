package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/handlers"
	"chit/invalidations"
	"chit/models"
)

// changing has a client that changes between its authentication and the next look at it.
type changing struct {
	*inMemory
	after *models.Client
	err   error
}

func (c changing) FindSince(context.Context, string, time.Time) (*models.Client, error) {
	return c.after, c.err
}

// A client that changes after its authentication, while it waits for its subscription, gets no stream.
func TestReceiverThatChangesWhileItConnects(t *testing.T) {
	t.Parallel()
	registered := models.Client{ClientID: "api", ClientSecretHash: models.HashSecret(secret), IsResourceServer: true}
	now := time.Now()
	for _, row := range []struct {
		name   string
		change func(*models.Client)
		err    error
		status int
		code   string
	}{
		{"other secret", func(c *models.Client) { c.ClientSecretHash = models.HashSecret("other") }, nil, 401, "invalid_client"},
		{"disabled", func(c *models.Client) { c.DisabledAt = &now }, nil, 401, "invalid_client"},
		{"public", func(c *models.Client) { c.IsPublic = true }, nil, 400, "unauthorized_client"},
		{"deleted", nil, models.ErrClientNotFound, 401, "invalid_client"},
		{"no resource server", func(c *models.Client) { c.IsResourceServer = false }, nil, 403, "unauthorized_client"},
		{"unknown, because the database does not answer", nil, fmt.Errorf("%w: test", models.ErrUnavailable), 503, "temporarily_unavailable"},
	} {
		clients := changing{inMemory: &inMemory{client: &registered}, err: row.err}
		if row.change != nil {
			after := registered
			row.change(&after)
			clients.after = &after
		}
		answer := connect(clients)
		var body struct{ Error string }
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != row.status || body.Error != row.code {
			t.Errorf("%s: %d %s", row.name, answer.Code, answer.Body)
		}
	}
}

// connect opens a stream as the client api.
func connect(clients handlers.Clients) *httptest.ResponseRecorder {
	hub := invalidations.NewHub(prometheus.NewRegistry())
	hub.NewSource(false).Proven(time.Now())
	api := newAPI(clients)
	api.Subscribe = hub.Subscribe
	request := httptest.NewRequest(http.MethodGet, "/invalidations", nil)
	request.SetBasicAuth("api", secret)
	answer := httptest.NewRecorder()
	api.Handler().ServeHTTP(answer, request)
	return answer
}
