package console_test

import (
	"net/http"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/models"
)

// everything are requests to every path of the API, by which a reader may make them.
var everything = []struct {
	method, path, body string
	reading            bool
}{
	{"GET", "/admin/openapi.json", "", true},
	{"GET", "/admin/clients", "", true},
	{"POST", "/admin/clients", `{"client_id":"new"}`, false},
	{"GET", "/admin/clients/job", "", true},
	{"PATCH", "/admin/clients/job", `{}`, false},
	{"POST", "/admin/clients/job/secret", "", false},
	{"POST", "/admin/clients/job/disable", "", false},
	{"POST", "/admin/clients/job/enable", "", false},
	{"GET", "/admin/clients/job/tokens", "", true},
	{"DELETE", "/admin/clients/job/tokens", "", false},
	{"DELETE", "/admin/clients/job", "", false},
	{"GET", "/admin/tokens/" + strings.Repeat("0", 64), "", true},
	{"DELETE", "/admin/tokens/" + strings.Repeat("0", 64), "", false},
	{"POST", "/admin/tokens/inspect", `{"token":"x"}`, false},
	{"POST", "/admin/tokens/revoke", `{"token":"x"}`, false},
	{"DELETE", "/admin/tokens?confirm=all", "", false},
	{"GET", "/admin/stats", "", true},
}

// Nobody gets in without a token of the right scope, from loopback neither.
func TestWhoGetsIn(t *testing.T) {
	s := apptest.Embedded(t)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('job', '" + models.HashSecret(secret) + "')")
	reader, stranger, disabled := employ(t, s, "chit:read"), employ(t, s, "chit:other chit:administrator"), employ(t, s, "chit:admin")
	revoked := employ(t, s, "chit:read chit:admin")
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'ops-chit-admin'")
	s.Post("/revoke", "ops-chit-read-chit-admin", secret, "token="+revoked.token)
	nobody := employ(t, s, "x")
	nobody.token = "chit_" + strings.Repeat("A", 59)
	for _, row := range everything {
		t.Run(row.method+" "+row.path, func(t *testing.T) {
			challenge := func(answer apptest.Answer, status int, want string) {
				t.Helper()
				if got := answer.Header.Get("WWW-Authenticate"); answer.Status != status || got != want {
					t.Errorf("%d %q, want %d %q: %s", answer.Status, got, status, want, answer.Body)
				}
			}
			challenge(nobody.as(t).do(row.method, row.path, row.body, "Authorization: "), 401, `Bearer realm="chit"`)
			challenge(nobody.as(t).do(row.method, row.path, row.body, "Authorization: Basic b3BzOnMzY3JldA=="), 401, `Bearer realm="chit"`)
			for _, o := range []*operator{nobody, disabled, revoked} {
				challenge(o.as(t).do(row.method, row.path, row.body), 401, `Bearer realm="chit", error="invalid_token"`)
			}
			needed := "chit:admin"
			if row.reading {
				needed = "chit:read"
			}
			challenge(stranger.as(t).do(row.method, row.path, row.body), 403, `Bearer realm="chit", error="insufficient_scope", scope="`+needed+`"`)
			if !row.reading {
				challenge(reader.as(t).do(row.method, row.path, row.body), 403, `Bearer realm="chit", error="insufficient_scope", scope="chit:admin"`)
			} else if got := reader.as(t).do(row.method, row.path, row.body); got.Status != 200 && got.Status != 404 {
				t.Errorf("a reader: %d %s", got.Status, got.Body)
			}
		})
	}
	if got := reader.do("GET", "/admin/clients/job", ""); got.Status != 200 || !strings.Contains(got.Body, `"disabled_at":null`) {
		t.Errorf("in the end: %s", got.Body)
	}
}

// An administrator can make each of these requests: none of them is missing.
func TestEverythingIsThere(t *testing.T) {
	s := apptest.Embedded(t)
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('job', '" + models.HashSecret(secret) + "')")
	o := employ(t, s, "chit:admin")
	documented := 0
	for _, item := range document(t).Paths.Map() {
		documented += len(item.Operations())
	}
	if documented != len(everything) {
		t.Errorf("the document has %d operations, the test %d", documented, len(everything))
	}
	for _, row := range everything {
		got := o.do(row.method, row.path, row.body)
		if strings.Contains(row.path, "tokens/") && got.Status == 404 && strings.Contains(got.Body, "there is no such token") {
			continue
		}
		if got.Status < 200 || got.Status > 299 {
			t.Errorf("%s %s: %d %s", row.method, row.path, got.Status, got.Body)
		}
		if row.method == "DELETE" && strings.Contains(row.path, "confirm") {
			o.token = s.Token("ops-chit-admin", secret)
		}
	}
}

// The admin API is not on the public listener, and the other paths of the ops listener are as they were.
func TestWhereItIs(t *testing.T) {
	s := apptest.Embedded(t)
	if got := apptest.Get(t, s.URL+"/admin/clients"); got.Status != http.StatusNotFound {
		t.Errorf("on the public listener: %d", got.Status)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if got := apptest.Get(t, s.OpsURL+path); got.Status != http.StatusOK {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}

// What the API does not have is answered as a problem, too.
func TestWhatIsNotThere(t *testing.T) {
	s := apptest.Embedded(t)
	o := employ(t, s, "chit:admin")
	o.want(404, o.do("GET", "/admin/nowhere", ""))
	o.want(404, o.do("GET", "/admin/", ""))
	if got := o.want(405, o.do("PUT", "/admin/clients", "{}")); got.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %s", got.Header.Get("Allow"))
	}
	for _, body := range []string{"{", "[]", `"x"`, "null", `{"client_id":"a"} {}`, `{"client_id":"a",}`, `{"client_id":"\ud800`} {
		o.want(400, o.do("POST", "/admin/clients", body))
	}
	if got := o.want(400, o.do("POST", "/admin/clients", `{"scope":"a","scope":"b"}`)); !strings.Contains(got.Body, `{"field":"scope","detail":"is there twice"}`) {
		t.Errorf("%s", got.Body)
	}
	o.want(415, o.do("POST", "/admin/clients", "client_id=a", "Content-Type: application/x-www-form-urlencoded"))
	o.want(413, o.do("POST", "/admin/clients", `{"client_name":"`+strings.Repeat("x", 64<<10)+`"}`))
	o.want(409, o.do("POST", "/admin/clients", `{"client_id":"my-machine-client"}`))
	for _, query := range []string{"x=1", "limit=1&limit=2", "limit=%zz"} {
		o.want(400, o.do("GET", "/admin/clients?"+query, ""))
	}
	o.want(404, o.do("GET", "/admin/tokens/"+o.token, ""))
}
