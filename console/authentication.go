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

// textOrNull returns a text, an empty one for null, or nil if the member is absent.
func (body *object) textOrNull(name string) *string {
	if body.isNull(name) {
		return new(string)
	}
	value := member[string](body, name, "a text or null")
	if value != nil && *value == "" {
		body.wrong(name, "is empty: write null to take it away")
	}
	return value
}

// restrictionMembers are the members of a client that say for whom its tokens are, and from whom.
var restrictionMembers = []string{
	"tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens", "allowed_resources", "resource",
}

// restrictionsIn returns the changes to them that an object describes.
func restrictionsIn(body *object) admin.Restrictions {
	return admin.Restrictions{
		CertificateBound: member[bool](body, "tls_client_certificate_bound_access_tokens", "true or false"),
		DPoPBound:        member[bool](body, "dpop_bound_access_tokens", "true or false"),
		AllowedResources: body.textOrNull("allowed_resources"),
		Resource:         body.textOrNull("resource"),
	}
}
