package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"chit/models"
)

// document is what chit client export writes. It has hashes of secrets, and no secrets.
type document struct {
	Clients []chitClient `json:"chit_clients"`
}

// chitClient has every column of a client. Times are exact to the microsecond.
type chitClient struct {
	ClientID            string       `json:"client_id"`
	ClientSecretHash    string       `json:"client_secret_hash"`
	ClientName          string       `json:"client_name"`
	RedirectURIs        string       `json:"redirect_uris,omitempty"`
	Scope               string       `json:"scope"`
	GrantTypes          string       `json:"grant_types"`
	IsPublic            bool         `json:"is_public,omitempty"`
	IsResourceServer    bool         `json:"is_resource_server,omitempty"`
	TokenTTLSeconds     *int64       `json:"token_ttl_seconds,omitempty"`
	DisabledAt          *time.Time   `json:"disabled_at,omitempty"`
	TokensRevokedBefore *time.Time   `json:"tokens_revoked_before,omitempty"`
	CreatedAt           time.Time    `json:"created_at"`
	RetiredSecrets      []chitSecret `json:"retired_secrets,omitempty"`

	AuthMethod   models.AuthMethod `json:"token_endpoint_auth_method,omitempty"`
	JWKS         models.Text       `json:"jwks,omitempty"` // the text of the column
	JWKSURI      models.Text       `json:"jwks_uri,omitempty"`
	TLSSubjectDN models.Text       `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    models.Text       `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    models.Text       `json:"tls_client_auth_san_uri,omitempty"`
	Federations  []chitFederation  `json:"federations,omitempty"`

	CertificateBound models.Flag `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPBound        models.Flag `json:"dpop_bound_access_tokens,omitempty"`
	AllowedResources models.Text `json:"allowed_resources,omitempty"`
	Resource         models.Text `json:"resource,omitempty"`
}

type chitFederation struct {
	Issuer   string      `json:"issuer"`
	Subject  string      `json:"subject"`
	Audience string      `json:"audience"`
	JWKSURI  models.Text `json:"jwks_uri,omitempty"`
}

type chitSecret struct {
	SecretHash string     `json:"secret_hash"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// Write writes clients with their retired secrets, so that Read returns the same.
func Write(out io.Writer, clients []models.Client) error {
	written := document{Clients: []chitClient{}}
	for _, c := range clients {
		one := chitClient{
			ClientID: c.ClientID, ClientSecretHash: c.ClientSecretHash, ClientName: c.ClientName, RedirectURIs: c.RedirectURIs, Scope: c.AllowedScopes,
			GrantTypes: c.GrantTypes, IsPublic: c.IsPublic, IsResourceServer: c.IsResourceServer, TokenTTLSeconds: c.TokenTTLSeconds,
			DisabledAt: utc(c.DisabledAt), TokensRevokedBefore: utc(c.TokensRevokedBefore), CreatedAt: c.CreatedAt.UTC(),
			AuthMethod: c.AuthMethod, JWKS: c.JWKS, JWKSURI: c.JWKSURI, TLSSubjectDN: c.TLSSubjectDN, TLSSANDNS: c.TLSSANDNS, TLSSANURI: c.TLSSANURI,
			CertificateBound: c.CertificateBound, DPoPBound: c.DPoPBound, AllowedResources: c.AllowedResources, Resource: c.Resource,
		}
		for _, f := range c.Federations {
			one.Federations = append(one.Federations, chitFederation{f.Issuer, f.Subject, f.Audience, f.JWKSURI})
		}
		for _, secret := range c.RetiredSecrets {
			one.RetiredSecrets = append(one.RetiredSecrets, chitSecret{secret.SecretHash, secret.ExpiresAt.UTC(), utc(secret.LastUsedAt)})
		}
		written.Clients = append(written.Clients, one)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(written)
}

func utc(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	in := at.UTC()
	return &in
}

func readChit(content []byte) (entries []Entry, err error) {
	var read document
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // a newer program may have written what would be lost
	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("near byte %d: %w", decoder.InputOffset(), err)
	}
	for _, c := range read.Clients {
		e := Entry{Secret: Kept, Client: models.Client{
			ClientID: c.ClientID, ClientSecretHash: c.ClientSecretHash, ClientName: c.ClientName, RedirectURIs: c.RedirectURIs, AllowedScopes: c.Scope,
			GrantTypes: c.GrantTypes, IsPublic: c.IsPublic, IsResourceServer: c.IsResourceServer, TokenTTLSeconds: c.TokenTTLSeconds,
			DisabledAt: c.DisabledAt, TokensRevokedBefore: c.TokensRevokedBefore, CreatedAt: c.CreatedAt,
			AuthMethod: c.AuthMethod, JWKS: c.JWKS, JWKSURI: c.JWKSURI, TLSSubjectDN: c.TLSSubjectDN, TLSSANDNS: c.TLSSANDNS, TLSSANURI: c.TLSSANURI,
			CertificateBound: c.CertificateBound, DPoPBound: c.DPoPBound, AllowedResources: c.AllowedResources, Resource: c.Resource,
		}}
		switch {
		case !e.Client.UsesSecret():
			e.Secret = Without
		case c.ClientSecretHash == "" && !c.IsPublic:
			e.Secret = Needed
		}
		for _, f := range c.Federations {
			e.Client.Federations = append(e.Client.Federations, models.Federation{ClientID: c.ClientID, Issuer: f.Issuer, Subject: f.Subject, Audience: f.Audience, JWKSURI: f.JWKSURI})
		}
		for _, secret := range c.RetiredSecrets {
			e.Client.RetiredSecrets = append(e.Client.RetiredSecrets, models.RetiredSecret{ClientID: c.ClientID, SecretHash: secret.SecretHash, ExpiresAt: secret.ExpiresAt, LastUsedAt: secret.LastUsedAt})
		}
		entries = append(entries, e)
	}
	return entries, nil
}
