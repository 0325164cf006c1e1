package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
)

// everyPage are pages that an operator may open, and whether one who may only read is let in.
var everyPage = []struct {
	path    string
	reading bool
}{
	{"/", true}, {"/clients", true}, {"/clients?query=x&sort=client_name&order=down&offset=50", true}, {"/clients/new", false}, {"/client?id=job", true},
	{"/client/edit?id=job", false}, {"/client/rotate?id=job", false}, {"/client/disable?id=job", false}, {"/client/delete?id=job", false},
	{"/client/tokens?id=job", true}, {"/client/revoke?id=job", false}, {"/tokens", true}, {"/tokens/revoke", false}, {"/audit", true},
}

// A session is an access token behind a cookie that scripts and other sites cannot use.
func TestSession(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		add(s, "job", "a")
		v := operator(t, s, "alice", "a chit:admin b")
		token := v.cookie("chit_session")
		if got := s.Post("/introspect", "alice", secret, "token="+token); got.Text("scope") != "chit:admin" {
			t.Errorf("the token of the session: %s", got.Body)
		}
		for _, page := range everyPage {
			v.get(200, page.path)
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8"} {
				if got := v.page.Header.Get(name); got != want {
					t.Errorf("%s: %s: %q, want %q", page.path, name, got, want)
				}
			}
			if policy := v.page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %s", page.path, policy)
			}
			if strings.Contains(v.page.Body, token) {
				t.Errorf("%s has the token of the session", page.path)
			}
		}
		v.send("/logout")
		v.is(200)
		v.sees("You are logged out")
		if s.Active("alice", secret, token) || v.cookie("chit_session") != "" {
			t.Error("the session goes on")
		}
		if log := s.Log(); strings.Contains(log, token) || strings.Contains(log, secret) {
			t.Error("a token or a secret is in the log")
		}
	})
}

// Ending the token anywhere ends the session, and the login leads back to the page.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	s := apptest.Real(t)
	v := operator(t, s, "alice", "chit:admin")
	for what, end := range map[string]func(){
		"revoked":  func() { s.Post("/revoke", "alice", secret, "token="+v.cookie("chit_session")) },
		"disabled": func() { s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'alice'") },
		"deleted":  func() { s.Redis.Client().FlushAll(t.Context()) },
	} {
		v.get(200, "/clients")
		_, form := v.form("/logout")
		end()
		apptest.Eventually(t, apptest.Soon, what, func() bool {
			v.get(200, "/clients?query=a%26b")
			return strings.HasPrefix(v.path, "/login")
		})
		v.post("/clients/new", form)
		v.is(401)
		v.sees("Your session has ended, and nothing was changed")
		s.Exec("UPDATE oauth_client SET disabled_at = NULL")
		apptest.Eventually(t, apptest.Soon, "the client is enabled", func() bool {
			if v.get(200, "/clients?query=a%26b"); v.path != "/clients?query=a%26b" { // a token of a client that was disabled by SQL is active again
				v.send("", "client_id", "alice", "client_secret", secret)
			}
			return v.path == "/clients?query=a%26b"
		})
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t, "--throttle-client=3")
	add(s, "stranger", "chit:other")
	add(s, "public", "chit:admin")
	s.Exec("UPDATE oauth_client SET is_public = true WHERE client_id = 'public'")
	add(s, "alice", "chit:admin")
	v := visit(t, s)
	for _, row := range []struct {
		id, secret string
		status     int
		text       string
	}{
		{"alice", "wrong", 401, "The client id or the secret is wrong"},
		{"nobody", secret, 401, "The client id or the secret is wrong"},
		{"", "", 401, "The client id or the secret is wrong"},
		{"stranger", secret, 403, "This client may not use the console"},
		{"public", secret, 403, "This client may not use the console"},
		{"alice", "wrong", 401, "The client id or the secret is wrong"},
		{"alice", "wrong", 401, "The client id or the secret is wrong"},
		{"alice", "wrong", 429, "too many wrong secrets. Try again in"},
		{"alice", secret, 429, "too many wrong secrets. Try again in"},
	} {
		v.get(200, "/login")
		v.send("", "client_id", row.id, "client_secret", row.secret)
		v.is(row.status)
		v.sees(row.text)
		v.seesNot(`value="` + secret + `"`)
		if v.cookie("chit_session") != "" {
			t.Errorf("%+v: there is a session", row)
		}
	}
	if v.page.Header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}

// After the login only pages of the console follow.
func TestNextPage(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	add(s, "alice", "chit:admin")
	for next, want := range map[string]string{
		"/clients?query=a%20b": "/clients?query=a%20b", "": "/", "//example.com/x": "/", "https://example.com/": "/", `/\example.com`: "/", "clients": "/",
		"/login": "/", "javascript:alert(1)": "/", "/%0d%0aX: y": "/%0D%0AX:%20y",
	} {
		v := visit(t, s)
		v.get(200, "/login?next="+url.QueryEscape(next))
		v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		v.send("", "client_id", "alice", "client_secret", secret)
		if got := v.page.Header.Get("Location"); v.page.Status != 303 || got != want {
			t.Errorf("%q: %d to %q, want %q", next, v.page.Status, got, want)
		}
	}
}

// Behind TLS the cookies are for TLS alone.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	add(s, "alice", "chit:admin")
	v := visit(t, s)
	v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.get(200, "/login")
	to, values := v.form("")
	values.Set("client_id", "alice")
	values.Set("client_secret", secret)
	v.post(to, values)
	if got := v.page.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "chit_session=chit_") || !strings.HasSuffix(got, "; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict") {
		t.Errorf("%s", got)
	}
	host := strings.TrimPrefix(s.OpsURL, "http://")
	v.post(to, values, "Origin: https://"+host, "Sec-Fetch-Site: same-origin")
	if got := v.page.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-chit_session=chit_") || !strings.HasSuffix(got, "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict") {
		t.Errorf("%s", got)
	}
}
