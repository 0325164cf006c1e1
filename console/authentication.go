package console

import (
	"chit/admin"
	"chit/models"
)

// authenticationMembers are the members of a client that say how it authenticates. null takes a value away.
var authenticationMembers = []string{
	"token_endpoint_auth_method", "jwks", "jwks_uri", "tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri",
}

// authenticationIn returns the changes to how a client authenticates that an object describes.
func authenticationIn(body *object) admin.Authentication {
	text := body.textOrNull
	a := admin.Authentication{
		JWKSURI: text("jwks_uri"), TLSSubjectDN: text("tls_client_auth_subject_dn"), TLSSANDNS: text("tls_client_auth_san_dns"), TLSSANURI: text("tls_client_auth_san_uri"),
	}
	if method := text("token_endpoint_auth_method"); method != nil {
		value := models.AuthMethod(*method)
		a.Method = &value
	}
	switch {
	case body.isNull("jwks"):
		a.JWKS = new(string)
	case member[map[string]any](body, "jwks", "an object or null") != nil:
		document := string(body.members["jwks"])
		a.JWKS = &document
	}
	return a
}
