package pages_test

import (
	"testing"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// The page of a client says how it authenticates, and offers no secret to one that has none.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks) VALUES ('signing', 'private_key_jwt', '" + apptest.JWKS(apptest.NewSigner(t, "ES256", "key-one")) + "')")
	s.Exec("INSERT INTO oauth_client_federation (client_id, issuer, subject, audience) VALUES ('signing', 'https://kubernetes.example', 'system:serviceaccount:shop:billing', 'chit')")
	s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, tls_client_auth_subject_dn) VALUES ('tls', 'tls_client_auth', 'CN=job')")
	s.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, jwks) VALUES ('wrong', 'private_key_jwt', 'x')")
	v.get(200, "/client?id=signing")
	v.sees("private_key_jwt", "key-one", "thumbprint", "https://kubernetes.example", "system:serviceaccount:shop:billing", "The client authenticates without a secret.")
	v.seesNot("Rotate the secret")
	v.get(200, "/client?id=tls")
	v.sees("tls_client_auth", "CN=job")
	v.get(200, "/client?id=wrong")
	v.sees("private_key_jwt")
}

// The page of a client says for whom its tokens are, and from whom. So does that of a token.
func TestRestrictions(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_resources) VALUES ('job', '" + models.HashSecret("s3cret") + "', 'https://a.example urn:b')")
	s.Exec(`INSERT INTO oauth_client (client_id, is_resource_server, resource, dpop_bound_access_tokens, tls_client_certificate_bound_access_tokens)
		VALUES ('server', true, 'https://server.example', true, true)`)
	v.get(200, "/client?id=job")
	v.sees("Its tokens are for", "https://a.example urn:b")
	v.seesNot("bound to", "identifiers")
	v.get(200, "/client?id=server")
	v.sees("it sees the tokens that are for it", "Its own identifiers", "https://server.example", "its certificate", "a key, by DPoP")
	v.get(200, "/tokens/one?jti="+tokens.ID(s.Token("job", "s3cret")))
	v.sees("https://a.example", "urn:b")
}
