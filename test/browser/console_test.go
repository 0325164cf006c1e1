package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"chit/tokens"
)

// An operator does everything that there is to do.
func TestEverything(t *testing.T) {
	s, b := served(t, "--audit-redis=1000")
	b.open("/clients?query=billing")
	if at := b.at(); at != "/login?next=%2Fclients%3Fquery%3Dbilling" {
		t.Errorf("a stranger is at %s", at)
	}
	b.fill("client_id", "alice", "client_secret", "wrong")
	b.press("Log in")
	b.sees("The client id or the secret is wrong")
	b.fill("client_secret", secret)
	b.press("Log in")
	if at := b.at(); at != "/clients?query=billing" {
		t.Errorf("after the login at %s", at)
	}
	b.sees("billing-job", "1 to 1 of 1")

	b.press("Register a client")
	b.fill("id", "a b")
	b.press("Register")
	b.sees("is not 1 to 255 visible ASCII characters")
	b.fill("id", "export", "client_name", "Nightly export", "scope", "orders.read", "token_ttl", "15m")
	b.press("Register")
	b.sees("export is registered", "It is shown this once")
	made := b.value(`document.getElementById("secret").value`)
	token := s.Token("export", made)

	b.press("To the client")
	b.sees("Nightly export", "15 min", "1 token is in force", "The client has one secret")
	b.press("Change")
	b.fill("client_name", "Hourly export", "is_resource_server", "on")
	b.press("Save")
	b.sees("The client is changed", "Hourly export", "Resource server")

	b.press("Rotate the secret…")
	b.fill("overlap", "3600")
	b.press("Rotate the secret")
	b.sees("The new secret of export", "ends in 60 min")
	fresh := b.value(`document.getElementById("secret").value`)
	second := s.Token("export", made)
	b.press("To the client")
	b.sees("a former one works", "2 tokens are in force")

	b.press("Show them")
	b.sees("2 in force", tokens.ID(token)[:12], tokens.ID(second)[:12])
	b.open("/tokens")
	b.fill("token", token)
	b.press("Look up")
	if at := b.at(); at != "/tokens/one?jti="+tokens.ID(token) {
		t.Errorf("a token that was looked up is at %s", at)
	}
	b.sees("active", "export")
	b.press("End the token…")
	b.sees("This ends 1 token")
	b.press("End the token")
	b.sees("The token has ended", "1 in force")
	if s.Active("export", fresh, token) || !s.Active("export", fresh, second) {
		t.Error("the wrong token has ended")
	}

	b.open("/client?id=export")
	b.press("End all tokens…")
	b.press("Cancel")
	b.press("End all tokens…")
	b.sees("This ends 1 token")
	b.press("End all tokens of")
	b.sees("The tokens of the client have ended", "No token is in force")
	b.press("Disable…")
	b.press("Disable")
	b.sees("The client is disabled")
	b.press("Enable")
	b.sees("The client is enabled")
	b.press("Delete…")
	b.sees("Delete export?")
	b.press("Delete")
	b.sees("The client export is deleted")

	b.press("Audit")
	b.sees("The latest events of all nodes", "client_deleted", "client_enabled", "client_disabled", "tokens_revoked", "client_secret_rotated", "client_created", "authentication_refused")
	b.fill("client", "export", "event", "client_updated")
	b.press("Filter")
	b.sees(`client_name "Nightly export" → "Hourly export"`)
	if rows := b.value(`document.querySelectorAll("tbody tr").length`); rows != "1" {
		t.Errorf("%s events match", rows)
	}
	b.press("Show all")

	b.press("Tokens")
	b.press("End all tokens…")
	b.fill("word", "all")
	b.press("End all tokens")
	b.sees("All tokens have ended")
	if at := b.at(); at != "/login?done=all" {
		t.Errorf("in the end at %s", at)
	}
	if log := s.Log(); strings.Contains(log, made) || strings.Contains(log, fresh) || strings.Contains(log, token) {
		t.Error("a secret or a token is in the log")
	}
}

// Who may only read sees everything, and nothing that changes anything.
func TestReader(t *testing.T) {
	_, b := served(t)
	b.login("rita")
	b.sees("read only")
	b.open("/client?id=billing-job")
	b.seesNot("Rotate", "Disable", "Delete…")
	b.open("/client/delete?id=billing-job")
	b.sees("You may look, but not change anything", "Changes need chit:admin.")
	b.press("Log out")
	b.sees("You are logged out")
}

// The list changes while somebody types.
func TestSearchAsYouType(t *testing.T) {
	s, b := served(t)
	for i := range 120 {
		add(s, fmt.Sprintf("job-%03d", i), fmt.Sprint("Number ", i), "a")
	}
	b.login("alice")
	b.open("/clients")
	b.sees("1 to 50 of 123")
	b.run(chromedp.SendKeys(chromedp.CSS("#query"), "JOB-11"))
	b.eventually("the results", `document.getElementById("results").innerText.includes("1 to 10 of 10")`)
	if at := b.at(); !strings.Contains(at, "query=JOB-11") {
		t.Errorf("at %s", at)
	}
	if focused := b.value("document.activeElement.id"); focused != "query" {
		t.Errorf("the focus is on %q", focused)
	}
	b.run(chromedp.SendKeys(chromedp.CSS("#query"), "9"+kb.Enter))
	b.eventually("the results", `document.getElementById("results").innerText.includes("1 to 1 of 1")`)
	b.run(chromedp.SendKeys(chromedp.CSS("#query"), "zz"))
	b.eventually("no results", `document.getElementById("results").innerText.includes("No client has “JOB-119zz”")`)
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'alice'")
	b.run(chromedp.SendKeys(chromedp.CSS("#query"), kb.Backspace))
	b.eventually("the login", `location.pathname === "/login"`)
}

// The figures of the overview change by themselves, and the page notices the end of the session.
func TestLiveFigures(t *testing.T) {
	s, b := served(t)
	b.login("alice")
	b.eventually("live", `document.getElementById("live-state").innerText === "Live"`)
	for range 50 {
		s.Token("billing-job", secret)
	}
	b.eventually("the rate", `parseFloat(document.querySelector("#figures dd").innerText) > 1`)
	b.eventually("a chart", `document.querySelectorAll("#charts rect").length > 0`)
	s.Exec("UPDATE oauth_client SET tokens_revoked_before = CURRENT_TIMESTAMP WHERE client_id = 'alice'")
	b.eventually("the login", `location.pathname === "/login"`)
}

// The buttons copy.
func TestButtons(t *testing.T) {
	_, b := served(t)
	b.login("alice")
	b.open("/client/rotate?id=billing-job")
	b.press("Rotate the secret")
	made := b.value(`document.getElementById("secret").value`)
	b.value(`navigator.clipboard.writeText = async (text) => { window.copied = text; }`)
	b.value(`[...document.querySelectorAll("[data-copy]")].find(e => e.dataset.copy === "secret").click()`)
	b.eventually("the copy", fmt.Sprintf("window.copied === %q", made))
	b.sees("Copied")
	b.value(`[...document.querySelectorAll("[data-copy]")].find(e => e.dataset.copy === "curl").click()`)
	b.eventually("the copy", `window.copied.includes("curl -sS --fail-with-body -K - -d grant_type=client_credentials")`)
}
