package app

import (
	"context"
	"errors"
	"time"

	"github.com/alicebob/miniredis/v2"

	"chit/models"
	"chit/repository"
)

// demoClients are the clients of a new embedded server. Their secrets are public, so that mode listens on
// loopback only.
var demoClients = []struct {
	client models.Client
	secret string
}{
	{models.Client{ClientID: "my-machine-client", ClientName: "Demo client", AllowedScopes: "openid profile", GrantTypes: models.ClientCredentials}, "my-secret"},
	{models.Client{ClientID: "my-resource-server", ClientName: "Demo resource server", IsResourceServer: true}, "my-resource-secret"},
}

// addDemoClients adds the demo clients that do not exist.
func addDemoClients(ctx context.Context, clients *repository.Clients) error {
	for _, demo := range demoClients {
		client := demo.client
		client.ClientSecretHash = models.HashSecret(demo.secret)
		if err := clients.Create(ctx, &client); err != nil && !errors.Is(err, models.ErrClientExists) {
			return err
		}
	}
	return nil
}

// clockTick is how often the clock of the embedded Redis is advanced. A key may expire this much late.
const clockTick = 50 * time.Millisecond

// startRedis starts an in-process Redis on a free loopback port, which redis-cli can use. miniredis never
// expires keys by itself, so startRedis also advances its clock. stop ends both.
func startRedis() (port string, stop func() error, err error) {
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		last := time.Now()
		timer := time.NewTimer(clockTick)
		for {
			select {
			case <-done:
				return
			case now := <-timer.C:
				redis.FastForward(now.Sub(last))
				last = now
				// The time to advance grows with the number of keys. It is limited to a tenth of a core.
				timer.Reset(max(clockTick, 10*time.Since(now)))
			}
		}
	}()
	return redis.Port(), func() error {
		close(done)
		<-stopped
		redis.Close()
		return nil
	}, nil
}
