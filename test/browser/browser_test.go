// Package browser_test drives a real browser through the console, on a server with real PostgreSQL and Redis.
package browser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"chit/app/apptest"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// patience is how long a page may take. It is long, because machines of tests are busy.
const patience = 30 * time.Second

const secret = "a secret of a test"

// browser is a tab of a browser without cookies.
type browser struct {
	t    *testing.T
	tab  context.Context
	base string // URL of the console
}

// start starts a browser for the console at this URL. At the end there must have been no error in any script.
func start(t *testing.T, base string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(apptest.Program(t, "chromium", "chromium")), chromedp.DisableGPU)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	b := &browser{t, tab, base}
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil { // starts the browser, which lives as long as this context
		t.Fatal(err)
	}
	messages := chromedp.Console(tab)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for message, err := range messages {
			if err == nil && (message.Type == chromedp.ConsoleException || strings.Contains(message.Text, "Content Security Policy")) {
				t.Errorf("the page complains: %s", message)
			}
		}
	}()
	t.Cleanup(func() {
		closeTab()
		<-ended
	})
	return b
}

// run runs actions and fails the test if they fail or take too long.
func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v\non the page:\n%s", err, b.look())
	}
}

// look returns the text of the page for messages.
func (b *browser) look() string {
	ctx, cancel := context.WithTimeout(b.tab, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`)) // there may be no page
	return text
}

// open opens a page of the console.
func (b *browser) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.base + path))
}

// press clicks on the link or button with this text and waits for the next page.
func (b *browser) press(text string) {
	b.t.Helper()
	script := fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll("main a, main button, header a, header button")].filter(e => e.innerText.trim().replace(/\s+/g, " ") === %q && e.checkVisibility());
		if (found.length !== 1) return found.length + " elements";
		window.before = true;
		found[0].click();
		return "";
	})()`, text)
	if fault := b.value(script); fault != "" {
		b.t.Fatalf("%s with the text %q on the page:\n%s", fault, text, b.look())
	}
	b.eventually("the next page after "+text, `!window.before && document.readyState === "complete"`)
}

// eventually waits until an expression is true. A page may be exchanged meanwhile.
func (b *browser) eventually(what, expression string) {
	b.t.Helper()
	apptest.Eventually(b.t, patience, what, func() bool {
		ctx, cancel := context.WithTimeout(b.tab, patience)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if errors.Is(err, context.DeadlineExceeded) {
			b.t.Fatal(err)
		}
		return err == nil && is
	})
}

// fill writes texts into fields, by their names. A field that can be checked is checked by "on".
func (b *browser) fill(fields ...string) {
	b.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		script := fmt.Sprintf(`(() => {
			const field = document.querySelector('main [name=%q]:not([type=hidden])');
			if (!field) return "there is no field";
			if (field.type === "checkbox") field.checked = %[2]q === "on";
			else field.value = %[2]q;
			if (field.type !== "checkbox" && field.value !== %[2]q) return "the field does not take";
			field.dispatchEvent(new Event("input", {bubbles: true}));
			return "";
		})()`, fields[i], fields[i+1])
		if fault := b.value(script); fault != "" {
			b.t.Fatalf("%s %q %q on the page:\n%s", fault, fields[i], fields[i+1], b.look())
		}
	}
}

// sees fails the test unless the page has these texts.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("%q is missing on the page:\n%s", text, page)
		}
	}
}

// seesNot fails the test if the page has one of these texts.
func (b *browser) seesNot(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.t.Errorf("%q is on the page:\n%s", text, page)
		}
	}
}

func (b *browser) text() string {
	b.t.Helper()
	return b.value(`document.body.innerText.replace(/[^\S\n]+/g, " ")`)
}

// value returns the text that an expression has on the page.
func (b *browser) value(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%v\non the page:\n%s", err, b.look())
	}
	return text
}

// awaited returns the text that a promise yields on the page.
func (b *browser) awaited(promise string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](promise, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v\non the page:\n%s", err, b.look())
	}
	return text
}

// at returns the path and the query of the page.
func (b *browser) at() string {
	b.t.Helper()
	return b.value("location.pathname + location.search")
}

// login logs in as a client and expects to get in.
func (b *browser) login(id string) {
	b.t.Helper()
	b.open("/login")
	b.fill("client_id", id, "client_secret", secret)
	b.press("Log in")
	if at := b.at(); at != "/" {
		b.t.Fatalf("after the login at %s:\n%s", at, b.look())
	}
}

// add registers a client with the secret of the tests.
func add(s *apptest.Server, id, name, scope string) {
	s.Exec(fmt.Sprintf("INSERT INTO oauth_client (client_id, client_secret_hash, client_name, allowed_scopes) VALUES ('%s', '%s', '%s', '%s')", id, models.HashSecret(secret), name, scope))
}

// served starts a server with two operators and a client, and a browser.
func served(t *testing.T, flags ...string) (*apptest.Server, *browser) {
	t.Helper()
	s := apptest.Real(t, flags...)
	add(s, "alice", "Alice", "chit:admin chit:read")
	add(s, "rita", "Rita, who reads", "chit:read")
	add(s, "billing-job", "Billing job", "invoices.read invoices.write")
	return s, start(t, s.OpsURL)
}

// form is a kind of screen.
type form struct {
	name   string
	width  int64
	scheme string // light or dark
}

var forms = []form{{"desktop-light", 1280, "light"}, {"desktop-dark", 1280, "dark"}, {"phone-light", 390, "light"}, {"phone-dark", 390, "dark"}}

// as makes the screen one of this kind.
func (b *browser) as(f form) {
	b.t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulatePortrait}
	if f.width < 500 {
		options = append(options, chromedp.EmulateMobile)
	}
	b.run(chromedp.EmulateViewport(f.width, 844, options...), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: f.scheme}},
		})
		return err
	}))
}
