package cli

import (
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/admin"
	"chit/models"
	"chit/repository"
)

// clientView is a client in JSON, with the names of RFC 7591 §2 and §3.2.1 where it has them. Times are in
// seconds.
type clientView struct {
	ClientID            string   `json:"client_id"`
	ClientSecret        string   `json:"client_secret,omitempty"`
	SecretExpiresAt     *int64   `json:"client_secret_expires_at,omitempty"` // 0: never; present if client_secret is
	ClientName          string   `json:"client_name,omitempty"`
	Scope               string   `json:"scope"`
	GrantTypes          []string `json:"grant_types"`
	IssuedAt            int64    `json:"client_id_issued_at"`
	IsPublic            bool     `json:"is_public"`
	IsResourceServer    bool     `json:"is_resource_server"`
	TokenTTLSeconds     *int64   `json:"token_ttl_seconds,omitempty"`
	DisabledAt          *int64   `json:"disabled_at,omitempty"`
	TokensRevokedBefore *int64   `json:"tokens_revoked_before,omitempty"`
	admin.AuthenticationView
	admin.RestrictionsView
}

func viewOf(client *models.Client) clientView {
	return clientView{
		ClientID:            client.ClientID,
		ClientName:          client.ClientName,
		Scope:               client.AllowedScopes,
		GrantTypes:          append([]string{}, client.RegisteredGrantTypes()...),
		IssuedAt:            client.CreatedAt.Unix(),
		IsPublic:            client.IsPublic,
		IsResourceServer:    client.IsResourceServer,
		TokenTTLSeconds:     client.TokenTTLSeconds,
		DisabledAt:          seconds(client.DisabledAt),
		TokensRevokedBefore: seconds(client.TokensRevokedBefore),
		AuthenticationView:  admin.ViewAuthentication(client),
		RestrictionsView:    admin.ViewRestrictions(client),
	}
}

// withSecret adds a secret, and its expiry as RFC 7591 §3.2.1 requires: never.
func (v clientView) withSecret(secret string) clientView {
	v.ClientSecret, v.SecretExpiresAt = secret, new(int64)
	return v
}

// useView is when a client was last seen, to within a minute. null means never.
type useView struct {
	LastUsedAt  *int64 `json:"last_used_at"`
	LastTokenAt *int64 `json:"last_token_at"`
}

// useOf returns nil if the last use of the client was not asked for.
func useOf(client *models.Client) *useView {
	if client.Use == nil {
		return nil
	}
	return &useView{seconds(client.Use.LastUsedAt), seconds(client.Use.LastTokenAt)}
}

// clientDetails is a client with its last use and its retired secrets. It does not contain the secrets or
// their hashes.
type clientDetails struct {
	clientView
	*useView
	RetiredSecrets []retiredSecretView `json:"retired_secrets"`
	Keys           []keyView           `json:"keys,omitempty"` // those of jwks
	Federations    []federationView    `json:"federations,omitempty"`
}

type retiredSecretView struct {
	ExpiresAt  int64  `json:"expires_at"`
	LastUsedAt *int64 `json:"last_used_at"` // null: not used since it was retired
}

func detailsOf(client *models.Client) clientDetails {
	details := clientDetails{clientView: viewOf(client), useView: useOf(client), RetiredSecrets: []retiredSecretView{}, Keys: keysOf(client), Federations: federationsOf(client)}
	for _, retired := range client.RetiredSecrets {
		details.RetiredSecrets = append(details.RetiredSecrets, retiredSecretView{retired.ExpiresAt.Unix(), seconds(retired.LastUsedAt)})
	}
	return details
}

// printClient prints all fields of a client.
func (f outputFlag) printClient(c *console, client *models.Client) error {
	lifetime := "the server's"
	if client.TokenTTLSeconds != nil {
		lifetime = (time.Duration(*client.TokenTTLSeconds) * time.Second).String()
	}
	rows := []table.Row{
		{"CLIENT_ID", client.ClientID},
		{"NAME", client.ClientName},
		{"SCOPE", client.AllowedScopes},
		{"GRANT TYPES", client.GrantTypes},
		{"ROLE", role(client)},
		{"TOKENS LIVE", lifetime},
		{"CREATED (UTC)", dateTime(client.CreatedAt)},
		{"UPDATED (UTC)", dateTime(client.UpdatedAt)},
	}
	if client.Use != nil {
		rows = append(rows,
			table.Row{"LAST TOKEN (UTC)", orNever(client.Use.LastTokenAt)},
			table.Row{"LAST USED (UTC)", orNever(client.Use.LastUsedAt)})
	}
	if client.Disabled() {
		rows = append(rows, table.Row{"DISABLED (UTC)", dateTime(*client.DisabledAt)})
	}
	if client.TokensRevokedBefore != nil {
		rows = append(rows, table.Row{"TOKENS REVOKED UP TO (UTC)", toTheMillisecond(*client.TokensRevokedBefore)})
	}
	for _, retired := range client.RetiredSecrets {
		used := "not used since it was retired"
		if retired.LastUsedAt != nil {
			used = "last used " + dateTime(*retired.LastUsedAt)
		}
		works := "works until "
		if !time.Now().Before(retired.ExpiresAt) {
			works = "expired at "
		}
		rows = append(rows, table.Row{"RETIRED SECRET (UTC)", works + dateTime(retired.ExpiresAt) + ", " + used})
	}
	return f.print(c, detailsOf(client), nil, slices.Concat(rows, authenticationRows(client), restrictionRows(client)))
}

type clientShowCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`

	ID string `arg:"" name:"id" help:"The client_id."`
}

func (*clientShowCommand) Help() string {
	return "A client is used when it authenticates, for a token or anything else. The last uses of the client and of its retired secrets are accurate to a minute. If a retired secret is not used any more, you can delete it.\n\nExample:\n\n  chit client show billing-job"
}

// Run prints the client.
func (cmd *clientShowCommand) Run(c *console) error {
	if err := cmd.Resolve(); err != nil {
		return usageError{err}
	}
	return cmd.withClients(c, func(clients *repository.Clients) error {
		client, err := clients.Describe(c, cmd.ID)
		if err != nil {
			return noSuchClient(cmd.ID, err)
		}
		return cmd.printClient(c, client)
	})
}
