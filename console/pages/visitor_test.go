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
