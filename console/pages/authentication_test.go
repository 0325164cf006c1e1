package pages_test

import (
	"testing"

	"chit/app/apptest"
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
