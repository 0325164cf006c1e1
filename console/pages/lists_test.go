package pages_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/tokens"
)

func TestTokensByThePages(t *testing.T) {
	t.Parallel()
	s := apptest.Real(t)
	v := operator(t, s, "alice", "chit:admin")
	id := "a/b?c&d=é"
	add(s, id, "a")
	issued := map[string]bool{}
	for range 120 {
		issued[tokens.ID(s.Token(id, secret))] = true
	}
	v.get(200, "/client/tokens?id="+url.QueryEscape(id))
	v.sees("120 in force")
	pages := 0
	for link := regexp.MustCompile(`href="([^"]*)" rel="next"`); ; pages++ {
		for _, found := range regexp.MustCompile(`<th scope="row"><a href="/tokens/one\?jti=([0-9a-f]{64})"`).FindAllStringSubmatch(v.page.Body, -1) {
			delete(issued, found[1])
		}
		next := link.FindStringSubmatch(v.page.Body)
		if next == nil {
			break
		}
		v.get(200, html.UnescapeString(next[1]))
	}
	if len(issued) != 0 || pages != 2 {
		t.Errorf("%d tokens are missing after %d pages", len(issued), pages)
	}
	v.get(404, "/client/tokens?id="+url.QueryEscape(id)+"&after=x")

	token := s.Token(id, secret)
	for _, text := range []string{token, " " + tokens.ID(token) + "\n"} {
		v.get(200, "/tokens")
		v.send("/tokens", "token", text)
		v.is(200)
		v.sees("active", tokens.ID(token))
		v.seesNot(token)
		if v.path != "/tokens/one?jti="+tokens.ID(token) {
			t.Errorf("at %s", v.path)
		}
	}
	v.get(200, "/tokens/one/revoke?jti="+tokens.ID(token))
	v.sees("End this token of a/b?c&amp;d=é?", "This ends 1 token")
	v.send("/tokens/one/revoke")
	v.is(200)
	v.sees("The token has ended", "120 in force")
	if s.Active(id, secret, token) {
		t.Error("it is active")
	}
	v.get(404, "/tokens/one?jti="+tokens.ID(token))
	v.sees("There is no such token: it has expired, was revoked, or was never issued.")
	for _, text := range []string{"", "x", token[:40], strings.Repeat("g", 64)} {
		v.get(200, "/tokens")
		v.send("/tokens", "token", text)
		v.is(400)
		v.sees("This is neither a token of this server nor a jti")
	}
	old := tokens.ID(s.Token(id, secret))
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = '" + id + "'")
	v.get(200, "/tokens/one?jti="+old)
	v.sees("It is inactive: client disabled.")
	s.Exec("DELETE FROM oauth_client WHERE client_id = '" + id + "'")
	v.get(200, "/tokens/one?jti="+old)
	v.sees("It is inactive: client unknown.")
	if log := s.Log(); strings.Contains(log, token) {
		t.Error("a token is in the log")
	}
}

// Ending all tokens asks for the word, and ends the session, too.
func TestEndAllTokens(t *testing.T) {
	t.Parallel()
	s := apptest.Real(t)
	v := operator(t, s, "alice", "chit:admin")
	add(s, "job", "a")
	token := s.Token("job", secret)
	v.get(200, "/tokens/revoke")
	v.sees("This ends 2 tokens")
	v.send("/tokens/revoke", "word", "yes")
	v.is(400)
	v.sees("Nothing was ended: type the word all.")
	if !s.Active("job", secret, token) {
		t.Error("it has ended")
	}
	v.send("/tokens/revoke", "word", "all")
	v.is(200)
	v.sees("All tokens have ended, also that of your session")
	apptest.Eventually(t, 10*time.Second, "the token has ended", func() bool { return !s.Active("job", secret, token) })
}

// Search, order and pages of the list of clients.
func TestClientsByThePages(t *testing.T) {
	t.Parallel()
	s := apptest.Embedded(t)
	v := operator(t, s, "zoe", "chit:admin")
	for i := range 120 {
		s.Exec(fmt.Sprintf("INSERT INTO oauth_client (client_id, client_name, allowed_scopes) VALUES ('n%03d', 'Name %03d', 'a')", i, 119-i))
	}
	first := func() string {
		t.Helper()
		found := regexp.MustCompile(`<th scope="row"><a href="[^"]*">([^<]*)</a>`).FindStringSubmatch(v.page.Body)
		if found == nil {
			return ""
		}
		return found[1]
	}
	for _, row := range []struct{ path, first, text string }{
		{"/clients?query=N0", "n000", "1 to 50 of 100"},
		{"/clients?query=n0&offset=50", "n050", "51 to 100 of 100"},
		{"/clients?query=n0&sort=client_name", "n099", "1 to 50 of 100"},
		{"/clients?query=n0&sort=client_name&order=down", "n000", "1 to 50 of 100"},
		{"/clients?sort=last_used_at", "my-machine-client", "of 123"},
		{"/clients?query=zzz", "", "No client has “zzz” in its id or its name"},
		{"/clients?offset=x&sort=y", "my-machine-client", "1 to 50 of 123"},
		{"/clients?offset=-5", "my-machine-client", "1 to 50 of 123"},
		{"/clients?offset=5000", "", "No client"},
	} {
		v.get(200, row.path)
		if got := first(); got != row.first {
			t.Errorf("%s: the first one is %q, want %q", row.path, got, row.first)
		}
		v.sees(row.text)
	}
}
