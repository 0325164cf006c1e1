package admin

import (
	"encoding/json"

	"chit/models"
)

// AuthenticationView is how a client authenticates, with the names of RFC 7591 §2 and RFC 8705 §2. What is null in
// the database is absent.
type AuthenticationView struct {
	Method       string          `json:"token_endpoint_auth_method,omitempty"` // absent: a secret, by HTTP Basic or in the body
	JWKS         json.RawMessage `json:"jwks,omitempty"`
	JWKSURI      string          `json:"jwks_uri,omitempty"`
	TLSSubjectDN string          `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    string          `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    string          `json:"tls_client_auth_san_uri,omitempty"`
}

// ViewAuthentication describes how a client authenticates.
func ViewAuthentication(client *models.Client) AuthenticationView {
	view := AuthenticationView{
		Method: string(client.AuthMethod), JWKSURI: string(client.JWKSURI),
		TLSSubjectDN: string(client.TLSSubjectDN), TLSSANDNS: string(client.TLSSANDNS), TLSSANURI: string(client.TLSSANURI),
	}
	var document map[string]any
	if json.Unmarshal([]byte(client.JWKS), &document) == nil && document != nil { // SQL may have written anything
		view.JWKS = json.RawMessage(client.JWKS)
	}
	return view
}
