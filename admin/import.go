package admin

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"chit/models"
)

// CheckImported returns an Invalid if a client from a file has a wrong value. strict applies the rules for the ids
// of new clients; without it, an id only has to fit into the database.
func CheckImported(client models.Client, strict bool) error {
	var faults Invalid
	if strict {
		faults.checkClientID(client.ClientID)
	} else {
		faults.add(!models.CanBeClientID(client.ClientID), "client_id", "%q is not 1 to 255 characters", client.ClientID)
	}
	faults.checkName(client.ClientName)
	faults.checkScope(client.AllowedScopes)
	if client.TokenTTLSeconds != nil {
		faults.checkTTL(*client.TokenTTLSeconds)
	}
	if client.ClientSecretHash != "" {
		faults.checkHash(client.ClientSecretHash)
	}
	faults.checkColumns(client, strict)
	for _, secret := range client.RetiredSecrets {
		faults.checkHash(secret.SecretHash)
	}
	return faults.orNil()
}

// checkColumns checks how a client authenticates. What this server has exported is only checked for what the
// database would refuse.
func (faults *Invalid) checkColumns(client models.Client, strict bool) {
	own := func(text models.Text) *string { value := string(text); return &value }
	if strict {
		faults.checkValues(Authentication{Method: &client.AuthMethod, JWKS: own(client.JWKS), JWKSURI: own(client.JWKSURI), TLSSubjectDN: own(client.TLSSubjectDN)})
		return
	}
	faults.checkValues(Authentication{Method: &client.AuthMethod})
	faults.checkOnePlace(client.JWKS != "", client.JWKSURI != "")
}

func (faults *Invalid) checkHash(hash string) {
	digest, err := base64.StdEncoding.Strict().DecodeString(hash)
	faults.add(err != nil || len(digest) != 32, "client_secret_hash", "is not the base64 of a SHA-256, as `chit hash-secret` prints it")
}

// Taken returns those of the ids that clients have, in the same order.
func (a Actions) Taken(ctx context.Context, ids []string) ([]string, error) {
	var taken []string
	for batch := range slices.Chunk(ids, 500) {
		found, err := a.Clients.FindMany(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, id := range batch {
			if found[id] != nil {
				taken = append(taken, id)
			}
		}
	}
	return taken, nil
}

// NewSecret gives a client that is not registered yet a new secret, and returns it. It is stored nowhere.
func (a Actions) NewSecret(client *models.Client) string {
	secret := a.newSecret()
	client.ClientSecretHash = models.HashSecret(secret)
	return secret
}

// Import registers clients with their retired secrets, all of them or none. The clients must have passed
// CheckImported. done is called with the number of clients so far. It returns models.ErrClientExists if an id
// was taken meanwhile.
func (a Actions) Import(ctx context.Context, clients []models.Client, done func(count int)) error {
	if err := a.Clients.CreateAll(ctx, clients, done); err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	for i := range clients {
		a.noteChange(ctx, clientCreated, &models.Client{}, &clients[i])
	}
	return nil
}
