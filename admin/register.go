package admin

import (
	"context"
	"crypto/rand"
	"strings"

	"chit/models"
	"chit/tokens"
)

// Registration is a new client.
type Registration struct {
	ClientID        *string  // nil: a random one
	ClientName      string   // for people
	Scope           string   // scopes that the client may have, separated by spaces
	GrantTypes      []string // nil: client_credentials
	ResourceServer  bool     // the client may introspect the tokens of all clients
	TokenTTLSeconds *int64   // lifetime of its tokens; nil: the server's
	Authentication           // nil fields: a secret
	Restrictions             // nil fields: bearer tokens for everybody
}

func (r Registration) apply(client *models.Client) {
	r.Authentication.apply(client)
	r.Restrictions.apply(client)
}

// Check returns an Invalid if a value is wrong.
func (r Registration) Check() error {
	var faults Invalid
	if r.ClientID != nil {
		faults.checkClientID(*r.ClientID)
	}
	faults.checkName(r.ClientName)
	faults.checkScope(r.Scope)
	faults.checkGrantTypes(r.GrantTypes)
	if r.TokenTTLSeconds != nil {
		faults.checkTTL(*r.TokenTTLSeconds)
	}
	faults.checkValues(r.Authentication)
	faults.checkResources(r.Restrictions)
	if len(faults) == 0 {
		client := models.Client{IsResourceServer: r.ResourceServer}
		r.apply(&client)
		faults.checkAuthentication(&client)
		faults.checkRole(&client)
	}
	return faults.orNil()
}

// Register registers a client. It returns the client and its secret, which is stored nowhere, and which is
// empty if the client authenticates without a secret. It returns an Invalid for a wrong value, and
// models.ErrClientExists for an id that is taken.
func (a Actions) Register(ctx context.Context, r Registration) (client *models.Client, secret string, err error) {
	if err := r.Check(); err != nil {
		return nil, "", err
	}
	client = &models.Client{
		ClientID:         strings.ToLower(rand.Text()),
		ClientName:       r.ClientName,
		AllowedScopes:    models.ParseScopes(r.Scope).String(),
		GrantTypes:       models.ClientCredentials,
		IsResourceServer: r.ResourceServer,
		TokenTTLSeconds:  r.TokenTTLSeconds,
	}
	if r.ClientID != nil {
		client.ClientID = *r.ClientID
	}
	if r.apply(client); client.UsesSecret() {
		secret = a.newSecret()
		client.ClientSecretHash = models.HashSecret(secret)
	}
	if r.GrantTypes != nil {
		client.GrantTypes = strings.Join(r.GrantTypes, " ")
	}
	if err := a.Clients.Create(ctx, client); err != nil {
		return nil, "", err
	}
	a.noteChange(ctx, clientCreated, &models.Client{}, client)
	return client, secret, nil
}

func (a Actions) newSecret() string { return tokens.Mint(tokens.SecretPrefix(a.Prefix)) }
