package console_test

import (
	"strings"
	"testing"

	"chit/app/apptest"
)

// A client without a secret, by the API: how it authenticates is set, shown, changed and checked.
func TestAuthenticationByTheAPI(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		o := employ(t, s, "chit:admin")
		signer, other := apptest.NewSigner(t, "ES256", "k1"), apptest.NewSigner(t, "RS256", "k2")
		made := o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job","token_endpoint_auth_method":"private_key_jwt","jwks":`+apptest.JWKS(signer)+`}`))
		if made.Text("token_endpoint_auth_method") != "private_key_jwt" || made.JSON()["client_secret"] != nil || !strings.Contains(made.Body, `"kid":"k1"`) {
			t.Errorf("%s", made.Body)
		}
		token := func(by *apptest.Signer) int {
			return s.Post("/token", "", "", "grant_type=client_credentials&"+apptest.AssertionForm(by.Assertion("job"))).Status
		}
		if status := token(signer); status != 200 {
			t.Errorf("by an assertion: %d", status)
		}
		o.want(409, o.do("POST", "/admin/clients/job/secret", ""))
		o.want(200, o.do("PATCH", "/admin/clients/job", `{"jwks":`+apptest.JWKS(other)+`}`, "Content-Type: application/merge-patch+json"))
		if status := token(other); status != 200 {
			t.Errorf("by the new key: %d", status)
		}
		moved := o.want(200, o.do("PATCH", "/admin/clients/job", `{"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_dns":"job.example"}`))
		if moved.JSON()["jwks"] != nil || moved.Text("tls_client_auth_san_dns") != "job.example" {
			t.Errorf("%s", moved.Body)
		}
		back := o.want(200, o.do("PATCH", "/admin/clients/job", `{"token_endpoint_auth_method":null}`))
		if strings.Contains(back.Body, "auth") {
			t.Errorf("%s", back.Body)
		}
		if rotated := into[client](t, o.want(200, o.do("POST", "/admin/clients/job/secret", ""))); s.Token("job", rotated.Secret) == "" {
			t.Error("no token by the secret")
		}
	})
}

// Wrong values are refused by name.
func TestWrongAuthenticationByTheAPI(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	keys := apptest.JWKS(apptest.NewSigner(t, "ES256", "k1"))
	o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job"}`))
	for _, row := range []struct{ body, field string }{
		{`{"token_endpoint_auth_method":"magic"}`, "token_endpoint_auth_method"},
		{`{"token_endpoint_auth_method":""}`, "token_endpoint_auth_method"},
		{`{"token_endpoint_auth_method":7}`, "token_endpoint_auth_method"},
		{`{"jwks":` + keys + `}`, "jwks"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks":"x"}`, "jwks"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks":{}}`, "jwks"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}}`, "jwks"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}`, "jwks"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks":` + keys + `,"jwks_uri":"https://example.com/keys"}`, "jwks_uri"},
		{`{"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"http://example.com/keys"}`, "jwks_uri"},
		{`{"token_endpoint_auth_method":"tls_client_auth"}`, "tls_client_auth_subject_dn"},
		{`{"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_subject_dn":"job"}`, "tls_client_auth_subject_dn"},
		{`{"token_endpoint_auth_method":"self_signed_tls_client_auth"}`, "jwks"},
		{`{"tls_client_auth_san_uri":"spiffe://a/b"}`, "tls_client_auth_san_uri"},
	} {
		for _, answer := range []apptest.Answer{o.do("POST", "/admin/clients", row.body), o.do("PATCH", "/admin/clients/job", row.body)} {
			if answer.Status != 400 && answer.Status != 422 || !strings.Contains(answer.Body, `"`+row.field+`"`) {
				t.Errorf("%s: %d %s", row.body, answer.Status, answer.Body)
			}
		}
	}
	if shown := o.do("GET", "/admin/clients/job", ""); strings.Contains(shown.Body, "auth") {
		t.Errorf("it was changed: %s", shown.Body)
	}
}
