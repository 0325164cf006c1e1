package pages_test

import (
	"net/url"
	"strings"
	"testing"

	"chit/app/apptest"
)

// No page but the login is for strangers, and one who may read changes nothing.
func TestWhoMayVisit(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
