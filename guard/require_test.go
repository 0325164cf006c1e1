package guard

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	f := newFake(t)
	var refused []Refusal
	g := f.guard(func(c *Config) {
		c.Realm = "invoices"
		c.OnRefusal = func(_ *http.Request, refusal Refusal) { refused = append(refused, refusal) }
	})
	token, dead := f.issue("alice"), mint()
	for _, row := range []struct {
		name      string
		needed    string
		headers   []string
		status    int
		challenge string
	}{
		{"a token", "read", []string{"Bearer " + token}, 200, ""},
		{"the scheme in another case", "", []string{"bEARER " + token}, 200, ""},
		{"two scopes", "write read", []string{"Bearer " + token}, 200, ""},
		{"no header", "read", nil, 401, `Bearer realm="invoices"`},
		{"another scheme", "read", []string{"Basic YTpi"}, 401, `Bearer realm="invoices"`},
		{"an empty header", "read", []string{""}, 401, `Bearer realm="invoices"`},
		{"a dead token", "read", []string{"Bearer " + dead}, 401, `Bearer realm="invoices", error="invalid_token"`},
		{"rubbish", "read", []string{"Bearer x\""}, 401, `Bearer realm="invoices", error="invalid_token"`},
		{"no token after the scheme", "read", []string{"Bearer "}, 400, `Bearer realm="invoices", error="invalid_request"`},
		{"two tokens", "read", []string{"Bearer " + token + " " + token}, 400, `Bearer realm="invoices", error="invalid_request"`},
		{"two headers", "read", []string{"Bearer " + token, "Bearer " + token}, 400, `Bearer realm="invoices", error="invalid_request"`},
		{"a missing scope", "read delete", []string{"Bearer " + token}, 403, `Bearer realm="invoices", error="insufficient_scope", scope="read delete"`},
	} {
		refused = nil
		request := httptest.NewRequest("POST", "/?access_token="+token, strings.NewReader("access_token="+token))
		request.Header["Authorization"] = row.headers
		answer := httptest.NewRecorder()
		g.Require(row.needed)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got, ok := FromContext(r.Context()); !ok || got.ClientID != "alice" {
				t.Errorf("%s: the handler gets %v", row.name, got)
			}
		})).ServeHTTP(answer, request)
		if answer.Code != row.status || answer.Header().Get("WWW-Authenticate") != row.challenge {
			t.Errorf("%s: %d %v", row.name, answer.Code, answer.Header())
		}
		if (row.status != 200) != (len(refused) == 1 && refused[0].Status == row.status && refused[0].Err != nil) {
			t.Errorf("%s: OnRefusal got %v", row.name, refused)
		}
	}
	f.refuses.Store(503)
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Authorization", "Bearer "+mint())
	g.Require("read")(http.NotFoundHandler()).ServeHTTP(answer, request)
	if answer.Code != 503 || answer.Header().Get("Retry-After") != "1" || answer.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("the server is away: %d %v", answer.Code, answer.Header())
	}
	if _, ok := FromContext(t.Context()); ok {
		t.Error("a token without a request")
	}
}

func TestStandardLibraryAlone(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "chit/guard" {
		t.Errorf("it depends on %s", got)
	}
}
