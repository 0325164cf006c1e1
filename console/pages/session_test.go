package pages_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

const secret = "a secret of a test"

// visitor is a browser without scripts. It follows redirects.
type visitor struct {
	t    *testing.T
	s    *apptest.Server
	http *http.Client
	page apptest.Answer // the latest one
	path string         // of it, with its query
}

func visit(t *testing.T, s *apptest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, s: s, http: &http.Client{Jar: jar}}
}

// operator registers a client with this scope and logs in as it.
func operator(t *testing.T, s *apptest.Server, id, scope string) *visitor {
	t.Helper()
	add(s, id, scope)
	v := visit(t, s)
	v.login(id)
	if v.page.Status != 200 || v.path != "/" {
		t.Fatalf("after the login: %d at %s: %s", v.page.Status, v.path, v.page.Body)
	}
	return v
}

func add(s *apptest.Server, id, scope string) {
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('" + id + "', '" + models.HashSecret(secret) + "', '" + scope + "')")
}

func (v *visitor) login(id string) {
	v.t.Helper()
	v.get(200, "/login")
	v.send("", "client_id", id, "client_secret", secret)
}

func (v *visitor) do(request *http.Request) {
	v.t.Helper()
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.page = apptest.Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	v.path = response.Request.URL.RequestURI()
}

// get opens a page, which must have this status.
func (v *visitor) get(status int, path string) {
	v.t.Helper()
	v.open(path)
	v.is(status)
}

func (v *visitor) open(path string) {
	v.t.Helper()
	request, err := http.NewRequest("GET", v.s.OpsURL+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.do(request)
}

func (v *visitor) is(status int) {
	v.t.Helper()
	if v.page.Status != status {
		v.t.Fatalf("%s: %d, want %d: %s", v.path, v.page.Status, status, v.page.Body)
	}
}

var (
	forms  = regexp.MustCompile(`(?s)<form method="post"[^>]*>.*?</form>`)
	action = regexp.MustCompile(`action="([^"]*)"`)
	inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// form returns the form of the page with this path, or the one in its main part if the path is empty.
func (v *visitor) form(path string) (to string, values url.Values) {
	v.t.Helper()
	for _, form := range forms.FindAllString(v.page.Body, -1) {
		to = action.FindStringSubmatch(form)[1]
		if path != to && (path != "" || to == "/logout") {
			continue
		}
		values = url.Values{}
		for _, input := range inputs.FindAllStringSubmatch(form, -1) {
			values.Set(input[1], html.UnescapeString(input[2]))
		}
		return to, values
	}
	v.t.Fatalf("no form for %q at %s: %s", path, v.path, v.page.Body)
	return "", nil
}

// send fills in a form of the page and sends it, as form finds it.
func (v *visitor) send(path string, fields ...string) {
	v.t.Helper()
	to, values := v.form(path)
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	v.post(to, values)
}

func (v *visitor) post(path string, values url.Values, headers ...string) {
	v.t.Helper()
	request, err := http.NewRequest("POST", v.s.OpsURL+path, strings.NewReader(values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", v.s.OpsURL)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	v.do(request)
}

func (v *visitor) sees(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if !strings.Contains(v.page.Body, text) {
			v.t.Errorf("%q is missing at %s: %s", text, v.path, v.page.Body)
		}
	}
}

func (v *visitor) seesNot(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(v.page.Body, text) {
			v.t.Errorf("%q is at %s: %s", text, v.path, v.page.Body)
		}
	}
}

func (v *visitor) cookie(name string) string {
	base, _ := url.Parse(v.s.OpsURL)
	for _, cookie := range v.http.Jar.Cookies(base) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

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

// No page but the login is for strangers, and one who may read changes nothing.
func TestWhoMayVisit(t *testing.T) {
	s := apptest.Embedded(t)
	add(s, "job", "a")
	stranger, reader := visit(t, s), operator(t, s, "rita", "chit:read")
	for _, page := range everyPage {
		stranger.get(200, page.path)
		if !strings.HasPrefix(stranger.path, "/login") {
			t.Errorf("a stranger is at %s", stranger.path)
		}
		status := 403
		if page.reading {
			status = 200
		}
		reader.get(status, page.path)
	}
	reader.get(200, "/client?id=job")
	reader.seesNot("Delete…", "Rotate", ">Change<", "Register a client")
	reader.sees("read only")
	_, form := reader.form("/logout")
	for _, path := range []string{"/clients/new", "/client/edit", "/client/rotate", "/client/disable", "/client/enable", "/client/delete", "/client/revoke", "/tokens/revoke", "/tokens/one/revoke"} {
		values := url.Values{"id": {"job"}, "overlap": {"0"}, "word": {"all"}, "form_token": form["form_token"]}
		reader.post(path, values)
		reader.is(403)
		reader.sees("You may look, but not change anything")
		stranger.post(path, values)
		stranger.is(401)
	}
	if got := s.Post("/token", "job", secret, "grant_type=client_credentials"); got.Status != 200 {
		t.Errorf("in the end: %s", got.Body)
	}
}

// A form counts only if it comes from a page of this session.
func TestForgedForms(t *testing.T) {
	s := apptest.Embedded(t)
	add(s, "job", "a")
	alice, mallory := operator(t, s, "alice", "chit:admin"), operator(t, s, "mallory", "chit:admin")
	alice.get(200, "/client/delete?id=job")
	_, values := alice.form("/client/delete")
	mallory.get(200, "/client/delete?id=job")
	_, others := mallory.form("/client/delete")
	without := url.Values{"id": {"job"}}
	for what, forge := range map[string]func(){
		"without a token":      func() { alice.post("/client/delete", without) },
		"of another session":   func() { alice.post("/client/delete", others) },
		"from another origin":  func() { alice.post("/client/delete", values, "Origin: https://example.com") },
		"from another site":    func() { alice.post("/client/delete", values, "Sec-Fetch-Site: cross-site") },
		"from another port":    func() { alice.post("/client/delete", values, "Sec-Fetch-Site: same-site") },
		"token in the query":   func() { alice.post("/client/delete?"+values.Encode(), without) },
		"a login, from a site": func() { alice.post("/login", values, "Origin: https://example.com") },
	} {
		forge()
		if alice.page.Status != 403 || !strings.Contains(alice.page.Body, "The form is not of your session") {
			t.Errorf("%s: %d %s", what, alice.page.Status, alice.page.Body)
		}
	}
	alice.post("/client/delete", url.Values{"id": {strings.Repeat("x", 65<<10)}})
	alice.is(413)
	alice.get(200, "/client?id=job")
	stranger := visit(t, s)
	stranger.post("/login", url.Values{"client_id": {"alice"}, "client_secret": {secret}})
	stranger.is(403)
}
