package app

import (
	"context"
	"errors"

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
