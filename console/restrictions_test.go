package console_test

import (
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/models"
)

// For whom the tokens of a client are, and from whom, is set, shown, changed and checked by the API.
func TestRestrictionsByTheAPI(t *testing.T) {
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		o := employ(t, s, "chit:admin")
		made := o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job","allowed_resources":"https://a.example  urn:b","dpop_bound_access_tokens":true,"tls_client_certificate_bound_access_tokens":true}`))
		if made.Text("allowed_resources") != "https://a.example urn:b" || made.JSON()["dpop_bound_access_tokens"] != true || made.JSON()["tls_client_certificate_bound_access_tokens"] != true {
			t.Errorf("%s", made.Body)
		}
		changed := o.want(200, o.do("PATCH", "/admin/clients/job", `{"dpop_bound_access_tokens":false,"tls_client_certificate_bound_access_tokens":false}`))
		if changed.Text("allowed_resources") != "https://a.example urn:b" || strings.Contains(changed.Body, "bound_access_tokens") {
			t.Errorf("%s", changed.Body)
		}
		told := o.want(200, o.do("POST", "/admin/tokens/inspect", `{"token":"`+s.Token("job", made.Text("client_secret"))+`"}`))
		if told.Member("aud") != `["https://a.example","urn:b"]` {
			t.Errorf("%s", told.Body)
		}
		if cleared := o.want(200, o.do("PATCH", "/admin/clients/job", `{"allowed_resources":null}`)); strings.Contains(cleared.Body, "resources") {
			t.Errorf("%s", cleared.Body)
		}
		server := o.want(200, o.do("PATCH", "/admin/clients/job", `{"is_resource_server":true,"resource":"https://job.example"}`))
		if server.Text("resource") != "https://job.example" {
			t.Errorf("%s", server.Body)
		}
	})
}

// Wrong values are refused by name.
func TestWrongRestrictionsByTheAPI(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	o.want(201, o.do("POST", "/admin/clients", `{"client_id":"job"}`))
	for _, row := range []struct{ body, field string }{
		{`{"allowed_resources":"a"}`, "allowed_resources"},
		{`{"allowed_resources":""}`, "allowed_resources"},
		{`{"allowed_resources":["https://a.example"]}`, "allowed_resources"},
		{`{"is_resource_server":true,"resource":"https://a.example#b"}`, "resource"},
		{`{"resource":"https://a.example"}`, "resource"},
		{`{"dpop_bound_access_tokens":"true"}`, "dpop_bound_access_tokens"},
		{`{"dpop_bound_access_tokens":null}`, "dpop_bound_access_tokens"},
		{`{"tls_client_certificate_bound_access_tokens":1}`, "tls_client_certificate_bound_access_tokens"},
	} {
		for _, answer := range []apptest.Answer{o.do("POST", "/admin/clients", row.body), o.do("PATCH", "/admin/clients/job", row.body)} {
			if answer.Status != 400 && answer.Status != 422 || !strings.Contains(answer.Body, `"`+row.field+`"`) {
				t.Errorf("%s: %d %s", row.body, answer.Status, answer.Body)
			}
		}
	}
}

// A token for other servers gives no access here, nor does a bound one that is shown as a bearer token.
func TestTokensForOthers(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:read")
	const issuer, other = "http://localhost:8080", "https://other.example"
	for id, row := range map[string]struct {
		resources string
		status    int
	}{"everybody": {"NULL", 200}, "here": {"'" + issuer + "'", 200}, "both": {"'" + other + " " + issuer + "'", 200}, "elsewhere": {"'" + other + "'", 401}} {
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, allowed_resources) VALUES ('" + id + "', '" + models.HashSecret(secret) + "', 'chit:read', " + row.resources + ")")
		o.token = s.Token(id, secret)
		if got := o.do("GET", "/admin/clients", ""); got.Status != row.status {
			t.Errorf("%s: %d %s", id, got.Status, got.Body)
		}
	}
}
