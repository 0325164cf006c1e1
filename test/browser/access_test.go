package browser_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"chit/tokens"
)

//go:embed testdata/axe/axe.min.js
var axe string

// No page breaks a rule of accessibility, on no kind of screen: those of WCAG 2.2 A and AA, and best practices.
func TestAccessibility(t *testing.T) {
	s, b := served(t, "--audit-redis=1000")
	populate(s)
	s.Post("/token", "job-07", secret, "grant_type=client_credentials")
	jti := tokens.ID(s.Token("billing-job", secret))
	for _, form := range forms {
		b.as(form)
		b.open("/login")
		b.isAccessible(form.name + " login")
		b.fill("client_id", "alice", "client_secret", "wrong")
		b.press("Log in")
		b.isAccessible(form.name + " login, refused")
		b.fill("client_secret", secret)
		b.press("Log in")
		for _, path := range []string{
			"/", "/clients", "/clients?query=zzz", "/clients/new", "/client?id=billing-job", "/client?id=job-07", "/client/edit?id=billing-job", "/client/rotate?id=billing-job",
			"/client/disable?id=billing-job", "/client/delete?id=alice", "/client/tokens?id=billing-job", "/client/tokens?id=job-08", "/tokens/one?jti=" + jti, "/tokens", "/tokens/revoke",
			"/audit", "/audit?client=nobody", "/client?id=nobody", "/nowhere",
		} {
			b.open(path)
			b.isAccessible(form.name + " " + path)
		}
		b.open("/clients/new")
		b.fill("id", "a b", "scope", `"`, "token_ttl", "x")
		b.press("Register")
		b.isAccessible(form.name + " a wrong form")
		b.open("/client/rotate?id=billing-job")
		b.press("Rotate the secret")
		b.isAccessible(form.name + " a secret")
		b.open("/client?id=billing-job")
		b.isAccessible(form.name + " a client with two secrets")
		b.press("Log out")
	}
}

// isAccessible applies the rules of axe-core to the page. The page must also fit the width of the screen.
func (b *browser) isAccessible(what string) {
	b.t.Helper()
	b.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[string](axe+`;""`)(ctx, t)
		return err
	}))
	var found struct {
		Passes     int
		Violations []struct {
			ID    string
			Help  string
			Nodes []struct {
				HTML           string
				FailureSummary string
			}
		}
	}
	result := b.awaited(`axe.run({resultTypes: ["violations"]}).then(r => JSON.stringify({passes: r.passes.length, violations: r.violations}))`)
	if err := json.Unmarshal([]byte(result), &found); err != nil {
		b.t.Fatalf("%s: %v: %s", what, err, result)
	}
	if found.Passes < 10 {
		b.t.Errorf("%s: only %d rules were applied", what, found.Passes)
	}
	for _, violation := range found.Violations {
		for _, node := range violation.Nodes {
			b.t.Errorf("%s: %s: %s: %s\n%s", what, violation.ID, violation.Help, node.HTML, node.FailureSummary)
		}
	}
	if wide := b.value("document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide != "0" {
		b.t.Errorf("%s: the page is %s pixels wider than the screen", what, wide)
	}
}

// By the keyboard alone somebody logs in, skips the menu, finds a client and disables it. The focus is always seen.
func TestKeyboard(t *testing.T) {
	s, b := served(t)
	b.open("/login")
	b.keys("alice" + kb.Tab + secret + kb.Enter)
	b.eventually("the overview", `location.pathname === "/" && document.readyState === "complete"`)
	b.keys(kb.Tab)
	if got := b.focused(); got != "Skip to the content" {
		t.Errorf("the first stop is %q", got)
	}
	b.tabTo("Clients")
	b.keys(kb.Enter)
	b.eventually("the clients", `location.pathname === "/clients" && document.readyState === "complete"`)
	b.tabTo("billing-job")
	b.keys(kb.Enter)
	b.eventually("the client", `location.pathname === "/client" && document.readyState === "complete"`)
	b.tabTo("Disable…")
	b.keys(kb.Enter)
	b.eventually("the question", `location.pathname === "/client/disable" && document.readyState === "complete"`)
	b.tabTo("Disable")
	b.keys(kb.Enter)
	b.eventually("the end", `document.body.innerText.includes("The client is disabled")`)
	if got := s.Post("/token", "billing-job", secret, "grant_type=client_credentials"); got.Status != 401 {
		t.Errorf("%d", got.Status)
	}
}

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

func (b *browser) focused() string {
	b.t.Helper()
	return strings.TrimSpace(b.value(`document.activeElement.innerText || document.activeElement.value || document.activeElement.id`))
}

// tabTo presses the tabulator until the focus is on the element with this text. Each stop must be visible and
// have an outline.
func (b *browser) tabTo(text string) {
	b.t.Helper()
	var stops []string
	for range 60 {
		b.keys(kb.Tab)
		got := b.focused()
		if got == text {
			return
		}
		stops = append(stops, got)
		if seen := b.value(`(() => { const e = document.activeElement, r = e.getBoundingClientRect(); return e === document.body || (r.width > 0 && r.right > 0 && getComputedStyle(e).outlineStyle !== "none"); })()`); seen != "true" {
			b.t.Errorf("the focus on %q cannot be seen", got)
		}
	}
	b.t.Fatalf("no stop is %q: %q", text, stops)
}
