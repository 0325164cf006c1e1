package console

import (
	"net/http"
	"net/url"
	"time"

	"chit/admin"
	"chit/models"
	"chit/repository"
)

// clientView is a client in JSON, with the names of RFC 7591 where it has them. Times are in seconds.
type clientView struct {
	ClientID            string   `json:"client_id"`
	ClientSecret        string   `json:"client_secret,omitempty"`            // only of a new secret
	SecretExpiresAt     *int64   `json:"client_secret_expires_at,omitempty"` // 0: never; present if client_secret is
	ClientName          string   `json:"client_name"`
	Scope               string   `json:"scope"`
	GrantTypes          []string `json:"grant_types"`
	IsResourceServer    bool     `json:"is_resource_server"`
	IsPublic            bool     `json:"is_public"`
	TokenTTLSeconds     *int64   `json:"token_ttl_seconds"` // null: the server's
	DisabledAt          *int64   `json:"disabled_at"`
	TokensRevokedBefore *int64   `json:"tokens_revoked_before"`
	CreatedAt           int64    `json:"created_at"`
	UpdatedAt           int64    `json:"updated_at"`
	admin.AuthenticationView
	admin.RestrictionsView
	*useView                       // nil: not asked for
	RetiredSecrets *[]retiredView  `json:"retired_secrets,omitempty"` // nil: not asked for
	Revocation     *revocationView `json:"revocation,omitempty"`      // of the client's tokens, by the request
}

// useView is when a client was last seen, to within a minute. null means never.
type useView struct {
	LastUsedAt  *int64 `json:"last_used_at"`
	LastTokenAt *int64 `json:"last_token_at"`
}

// retiredView is a former secret of a client.
type retiredView struct {
	ExpiresAt  int64  `json:"expires_at"`
	LastUsedAt *int64 `json:"last_used_at"` // null: not used since it was retired
}

// readOnly are the members of a client that an operator cannot set.
var readOnly = []string{
	"client_id", "client_secret", "client_secret_expires_at", "disabled_at", "tokens_revoked_before", "created_at",
	"updated_at", "last_used_at", "last_token_at", "retired_secrets",
}

func viewOf(client *models.Client) clientView {
	view := clientView{
		ClientID:            client.ClientID,
		ClientName:          client.ClientName,
		Scope:               client.AllowedScopes,
		GrantTypes:          append([]string{}, client.RegisteredGrantTypes()...),
		IsResourceServer:    client.IsResourceServer,
		IsPublic:            client.IsPublic,
		TokenTTLSeconds:     client.TokenTTLSeconds,
		DisabledAt:          seconds(client.DisabledAt),
		TokensRevokedBefore: seconds(client.TokensRevokedBefore),
		CreatedAt:           client.CreatedAt.Unix(),
		UpdatedAt:           client.UpdatedAt.Unix(),
		AuthenticationView:  admin.ViewAuthentication(client),
		RestrictionsView:    admin.ViewRestrictions(client),
	}
	if client.Use != nil {
		view.useView = &useView{seconds(client.Use.LastUsedAt), seconds(client.Use.LastTokenAt)}
	}
	return view
}

// withSecret adds a secret, and its expiry as RFC 7591 §3.2.1 requires: never.
func (v clientView) withSecret(secret string) clientView {
	v.ClientSecret, v.SecretExpiresAt = secret, new(int64)
	return v
}

func (v clientView) withRetired(secrets []models.RetiredSecret) clientView {
	retired := []retiredView{}
	for _, secret := range secrets {
		retired = append(retired, retiredView{secret.ExpiresAt.Unix(), seconds(secret.LastUsedAt)})
	}
	v.RetiredSecrets = &retired
	return v
}

// seconds converts a time for JSON.
func seconds(instant *time.Time) *int64 {
	if instant == nil {
		return nil
	}
	at := instant.Unix()
	return &at
}

// clientID returns the client id in the path.
func (x *call) clientID() string {
	id, err := url.PathUnescape(x.Param("client_id"))
	if err != nil {
		return "" // no client has this id
	}
	return id
}

// answerClient answers with a client and its version.
func (x *call) answerClient(status int, client *models.Client, view clientView) error {
	x.Response().Header().Set("ETag", `"`+client.Version()+`"`)
	return x.JSON(status, view)
}

// viewAfter describes a client after a change. The change is made, so a failure to look up its last use only
// leaves that out.
func (x *call) viewAfter(client *models.Client) clientView {
	if use, err := x.api.Actions.Clients.LastUse(x.context(), client.ClientID); err == nil {
		client.Use = use
	}
	return viewOf(client).withRetired(client.RetiredSecrets)
}

// listClients is GET /admin/clients.
func (x *call) listClients() error {
	limit, err := x.query.limit()
	if err != nil {
		return err
	}
	page := repository.Page{Query: x.query.values["query"], After: x.query.values["after"], Limit: limit + 1} // one more shows whether there is a next page
	found, err := x.api.Actions.Clients.List(x.context(), page)
	if err != nil {
		return err
	}
	var answer struct {
		Clients []clientView `json:"clients"`
		Next    *string      `json:"next"` // null: this is the last page
	}
	if len(found) > limit {
		found = found[:limit]
		answer.Next = &found[limit-1].ClientID
	}
	answer.Clients = []clientView{}
	for i := range found {
		answer.Clients = append(answer.Clients, viewOf(&found[i]))
	}
	return x.JSON(http.StatusOK, answer)
}

// showClient is GET /admin/clients/{client_id}.
func (x *call) showClient() error {
	client, err := x.api.Actions.Clients.Describe(x.context(), x.clientID())
	if err != nil {
		return err
	}
	return x.answerClient(http.StatusOK, client, viewOf(client).withRetired(client.RetiredSecrets))
}
