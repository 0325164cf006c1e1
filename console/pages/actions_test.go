package pages_test

import (
	"html"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

var shownSecret = regexp.MustCompile(`<input id="secret" readonly value="([^"]*)"`)

func (v *visitor) secret() string {
	v.t.Helper()
	found := shownSecret.FindStringSubmatch(v.page.Body)
	if found == nil {
		v.t.Fatalf("no secret at %s: %s", v.path, v.page.Body)
	}
	return found[1]
}

// A client from its registration to its end.
func TestClientByThePages(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		v := operator(t, s, "alice", "chit:admin")
		v.get(200, "/clients/new")
		v.send("/clients/new", "id", "job", "client_name", `Job <b>"1"`, "scope", "b  a b", "token_ttl", "15m")
		v.is(200)
		first := v.secret()
		v.sees("job is registered", "It is shown this once")
		token := s.Post("/token", "job", first, "grant_type=client_credentials")
		if token.JSON()["expires_in"] != 900.0 || token.Text("scope") != "b a" {
			t.Errorf("%s", token.Body)
		}

		v.get(200, "/client?id=job")
		v.sees("Job &lt;b&gt;&#34;1&#34;", `<span class="scope">b</span>`, "15 min", "1 token is in force")
		v.seesNot(first)
		v.get(200, "/client/edit?id=job")
		v.sees(`value="900"`)
		v.send("/client/edit", "client_name", "New name", "scope", "c", "token_ttl", "", "is_resource_server", "yes")
		v.is(200)
		v.sees("The client is changed", "New name", `<span class="scope">c</span>`, "Resource server", "that of the server")

		v.get(200, "/client/rotate?id=job")
		v.send("/client/rotate", "overlap", "3600")
		second := v.secret()
		v.sees("The new secret of job", "in 60 min")
		v.get(200, "/client?id=job")
		v.sees("a former one works", "not in use")
		if s.Token("job", first) == "" || s.Token("job", second) == "" {
			t.Error("a secret does not work")
		}
		apptest.Eventually(t, 10*time.Second, "the use of the former secret is recorded", func() bool {
			v.get(200, "/client?id=job")
			return strings.Contains(v.page.Body, "still in use")
		})

		v.get(200, "/client/disable?id=job")
		v.sees("Disable job?", "This ends 3 tokens")
		v.send("/client/disable")
		v.is(200)
		v.sees("The client is disabled, and its tokens have ended", "No token is in force", ">disabled<")
		v.send("/client/enable")
		v.is(200)
		v.sees("The client is enabled")
		apptest.Eventually(t, apptest.Soon, "the client works", func() bool {
			return s.Post("/token", "job", second, "grant_type=client_credentials").Status == 200
		})
		if s.Active("job", second, token.Text("access_token")) {
			t.Error("a token is active again")
		}

		v.get(200, "/client/revoke?id=job")
		v.sees("End all tokens of job?", "This ends 1 token")
		v.send("/client/revoke")
		v.sees("The tokens of the client have ended", "No token is in force")
		v.get(200, "/client/delete?id=job")
		v.sees("no tokens: none are in force")
		v.send("/client/delete")
		v.is(200)
		v.sees("The client <strong>job</strong> is deleted")
		v.get(404, "/client?id=job")
		v.sees("It is not there", "There is no such client.")

		v.get(200, "/audit?client=job")
		v.sees("client_<wbr>created", "client_<wbr>updated", "client_<wbr>secret_<wbr>rotated", "client_<wbr>disabled", "client_<wbr>enabled", "client_<wbr>deleted", "retired_<wbr>secret_<wbr>used")
		v.sees(`scope &#34;b a&#34; → &#34;c&#34;`, "alice")
		v.get(200, "/audit?client=job&event=client_deleted")
		v.seesNot("client_<wbr>created")
		if log := s.Log(); strings.Contains(log, first) || strings.Contains(log, second) {
			t.Error("a secret is in the log")
		}
	})
}

// Wrong values come back with what is wrong beside them, and nothing is changed.
func TestWrongForms(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	add(s, "job", "a")
	for _, row := range []struct{ field, value, text string }{
		{"id", "a b", "is not 1 to 255 visible ASCII characters"},
		{"id", "job", "is taken: there is a client with this id"},
		{"scope", `a"b`, "has a character that RFC 6749"},
		{"token_ttl", "soon", "is no lifetime: write 900, 15m or 1h30m"},
		{"token_ttl", "0", "is no lifetime"},
		{"token_ttl", "-5m", "is no lifetime"},
		{"token_ttl", "99999999999", "is not a number of seconds from 1 to"},
	} {
		v.get(200, "/clients/new")
		v.send("/clients/new", "client_name", "kept", row.field, row.value)
		if v.page.Status != 400 && v.page.Status != 409 {
			t.Errorf("%+v: %d", row, v.page.Status)
		}
		v.sees(row.text, `aria-invalid="true"`, `value="kept"`, html.EscapeString(row.value))
	}
	v.get(200, "/client/edit?id=job")
	v.send("/client/edit", "token_ttl", "never", "scope", "b")
	v.is(400)
	v.get(200, "/client?id=job")
	v.sees(`<span class="scope">a</span>`)
}

// A form that is sent twice, by the button "back" or by a reload, makes one client and one secret.
func TestFormsSentTwice(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "alice", "chit:admin")
	v.get(200, "/clients/new")
	to, values := v.form("/clients/new")
	v.post(to, values)
	v.is(200)
	id := values.Get("generated_id")
	v.sees(id + " is registered")
	v.post(to, values)
	v.is(409)

	v.get(200, "/client/rotate?id="+id)
	to, values = v.form("/client/rotate")
	values.Set("overlap", "0")
	v.post(to, values)
	v.is(200)
	v.sees("The old secret has ended.")
	secret := v.secret()
	v.post(to, values)
	v.is(412)
	v.sees("Somebody else has changed the client", "Nothing was changed")
	if got := s.Post("/token", id, secret, "grant_type=client_credentials"); got.Status != 200 {
		t.Errorf("%s", got.Body)
	}
}

// Of two operators who change a client at the same time, the second one hears of it.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	add(s, "job", "a")
	one, two := operator(t, s, "one", "chit:admin"), operator(t, s, "two", "chit:admin")
	one.get(200, "/client/edit?id=job")
	two.get(200, "/client/edit?id=job")
	two.send("/client/edit", "client_name", "of two")
	one.send("/client/edit", "client_name", "of one")
	one.is(412)
	one.sees(`href="/client?id=job"`)
	one.get(200, "/client?id=job")
	one.sees("of two")
}

// The command that is shown with a secret works as it stands.
func TestCommandOfASecret(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	s2 := apptest.Embedded(t, "--issuer="+s.URL)
	v := operator(t, s2, "alice", "chit:admin")
	v.get(200, "/clients/new")
	v.send("/clients/new", "id", `it's"\$HOME`)
	secret := v.secret()
	s.Exec(`INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('it''s"\$HOME', '` + models.HashSecret(secret) + "')")
	command := regexp.MustCompile(`<code id="curl">([^<]*)</code>`).FindStringSubmatch(v.page.Body)
	if command == nil {
		t.Fatalf("%s", v.page.Body)
	}
	apptest.Program(t, "curl", "curl")
	if out, err := exec.Command("sh", "-c", html.UnescapeString(command[1])).CombinedOutput(); err != nil || !strings.Contains(string(out), "access_token") {
		t.Errorf("%v: %s: %s", err, command[1], out)
	}
}
