package admin

import (
	"slices"

	"chit/certificates"
	"chit/keys"
	"chit/models"
)

// Authentication is how a client authenticates. A nil field stays as it is.
type Authentication struct {
	Method       *models.AuthMethod // empty: a secret, by HTTP Basic or in the body
	JWKS         *string            // a key document; empty: none. It takes the place of JWKSURI
	JWKSURI      *string            // where the key document is; empty: nowhere. It takes the place of JWKS
	TLSSubjectDN *string            // of its certificate, in the form of RFC 4514; empty: any
	TLSSANDNS    *string
	TLSSANURI    *string
}

// usesKeys reports whether clients with the method have registered keys.
func usesKeys(method models.AuthMethod) bool {
	return method == models.PrivateKeyJWT || method == models.SelfSignedTLS
}

// apply changes a client. What a new method does not use is removed.
func (a Authentication) apply(client *models.Client) {
	if a.Method != nil && *a.Method != client.AuthMethod {
		client.AuthMethod = *a.Method
		if !usesKeys(client.AuthMethod) {
			client.JWKS, client.JWKSURI = "", ""
		}
		if client.AuthMethod != models.TLSClientAuth {
			client.TLSSubjectDN, client.TLSSANDNS, client.TLSSANURI = "", "", ""
		}
	}
	if a.JWKS != nil {
		client.JWKS, client.JWKSURI = models.Text(*a.JWKS), ""
	}
	if a.JWKSURI != nil {
		client.JWKSURI = models.Text(*a.JWKSURI)
		if *a.JWKSURI != "" && a.JWKS == nil {
			client.JWKS = ""
		}
	}
	for _, column := range []struct {
		value *string
		of    *models.Text
	}{{a.TLSSubjectDN, &client.TLSSubjectDN}, {a.TLSSANDNS, &client.TLSSANDNS}, {a.TLSSANURI, &client.TLSSANURI}} {
		if column.value != nil {
			*column.of = models.Text(*column.value)
		}
	}
}

// checkValues checks what can be checked without the client.
func (faults *Invalid) checkValues(a Authentication) {
	if a.Method != nil {
		faults.add(*a.Method != models.AnySecret && !slices.Contains(models.AuthMethods, *a.Method), "token_endpoint_auth_method",
			"%q is not supported: use client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth", string(*a.Method))
	}
	faults.checkOnePlace(given(a.JWKS), given(a.JWKSURI))
	if given(a.JWKS) {
		faults.checkKeys(*a.JWKS)
	}
	if given(a.JWKSURI) {
		if err := keys.CheckURL(*a.JWKSURI); err != nil {
			faults.add(true, "jwks_uri", "%q %v", *a.JWKSURI, err)
		}
	}
	if given(a.TLSSubjectDN) {
		if _, err := certificates.ParseName(*a.TLSSubjectDN); err != nil {
			faults.add(true, "tls_client_auth_subject_dn", "%v", err)
		}
	}
}

func given(value *string) bool { return value != nil && *value != "" }

func (faults *Invalid) checkOnePlace(document, location bool) {
	faults.add(document && location, "jwks_uri", "cannot be set together with jwks: keep one of them (RFC 7591 §2)")
}

// checkKeys is stricter than the server, which ignores keys that it cannot use.
func (faults *Invalid) checkKeys(document string) {
	set, err := keys.Parse(document)
	if err != nil {
		faults.add(true, "jwks", "%v", err)
		return
	}
	for _, err := range set.Unusable {
		faults.add(true, "jwks", "%v", err)
	}
	faults.add(len(set.Keys) == 0 && len(set.Unusable) == 0, "jwks", "has no key")
}

// checkAuthentication checks that the columns of a client fit together.
func (faults *Invalid) checkAuthentication(client *models.Client) {
	method, has := client.AuthMethod, client.JWKS != "" || client.JWKSURI != ""
	name := string(method)
	if method == models.AnySecret {
		name = "a secret"
	}
	field := "jwks"
	if client.JWKSURI != "" {
		field = "jwks_uri"
	}
	faults.add(has && !usesKeys(method), field, "is of no use to a client that authenticates by %s: set the method private_key_jwt or self_signed_tls_client_auth, too", name)
	faults.add(!has && method == models.SelfSignedTLS, "jwks", "is missing: %s needs the keys of the certificates, as jwks or jwks_uri", name)
	if set, err := keys.Parse(string(client.JWKS)); err == nil && method == models.PrivateKeyJWT {
		signing := slices.ContainsFunc(set.Keys, func(key keys.Key) bool { return len(key.Algorithms()) > 0 })
		faults.add(!signing, "jwks", "has no key that can sign assertions: use EC with P-256, RSA or Ed25519")
	}
	named := false
	for _, column := range []struct {
		field string
		value models.Text
	}{{"tls_client_auth_subject_dn", client.TLSSubjectDN}, {"tls_client_auth_san_dns", client.TLSSANDNS}, {"tls_client_auth_san_uri", client.TLSSANURI}} {
		named = named || column.value != ""
		faults.add(column.value != "" && method != models.TLSClientAuth, column.field, "is of no use to a client that authenticates by %s: set the method tls_client_auth, too", name)
	}
	faults.add(method == models.TLSClientAuth && !named, "tls_client_auth_subject_dn", "is missing: without it, tls_client_auth_san_dns or tls_client_auth_san_uri no certificate is that of the client")
}
