package browser_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chit/app/apptest"
)

// TestScreenshots takes the pictures of docs/console: CHIT_SCREENSHOTS is the directory for them, and
// CHIT_SCREENSHOTS_AFTER how long clients are at work before.
func TestScreenshots(t *testing.T) {
	directory := os.Getenv("CHIT_SCREENSHOTS")
	if directory == "" {
		t.Skip("CHIT_SCREENSHOTS is not set")
	}
	after, _ := time.ParseDuration(os.Getenv("CHIT_SCREENSHOTS_AFTER")) // 0 if it is not set
	s, b := served(t, "--issuer=https://auth.example.com", "--audit-redis=1000")
	populate(s)
	work(t, s, after)
	jti := s.Post("/introspect", "billing-job", secret, "token="+s.Token("billing-job", secret)).Text("jti")
	b.login("alice")
	shot := func(name string) {
		for _, form := range forms {
			b.as(form)
			ctx, cancel := context.WithTimeout(b.tab, patience)
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			cancel()
			if err == nil {
				err = os.WriteFile(filepath.Join(directory, name+"-"+form.name+".png"), picture, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range []struct{ name, path string }{
		{"overview", "/"}, {"clients", "/clients"}, {"client", "/client?id=billing-job"}, {"register", "/clients/new"}, {"edit", "/client/edit?id=billing-job"},
		{"rotate", "/client/rotate?id=billing-job"}, {"tokens", "/client/tokens?id=billing-job"}, {"token", "/tokens/one?jti=" + jti}, {"lookup", "/tokens"},
		{"delete", "/client/delete?id=billing-job"}, {"end-all", "/tokens/revoke"}, {"audit", "/audit"}, {"missing", "/client?id=nobody"}, {"no-match", "/clients?query=zzz"},
	} {
		b.open(row.path)
		if row.path == "/" {
			b.eventually("live figures", `document.getElementById("live-state").innerText === "Live"`)
		}
		shot(row.name)
	}
	b.open("/client/rotate?id=billing-job")
	b.press("Rotate the secret")
	shot("secret")
	b.press("Log out")
	shot("login")
}

// populate registers clients like those of a company.
func populate(s *apptest.Server) {
	add(s, "invoices-api", "Invoices API", "")
	s.Exec("UPDATE oauth_client SET is_resource_server = true WHERE client_id = 'invoices-api'")
	for i, name := range []string{
		"Nightly export", "Warehouse sync", "Report mailer", "Search indexer", "Fraud scoring", "Payment gateway", "Image resizer", "Backup agent",
		"Metrics shipper", "CI pipeline", "Price feed", "Address check", "Customer import", "Shipping labels", "Tax calculator", "Translation worker",
	} {
		add(s, fmt.Sprintf("job-%02d", i+1), name, "jobs.run orders.read")
	}
	s.Exec("UPDATE oauth_client SET disabled_at = CURRENT_TIMESTAMP WHERE client_id = 'job-07'")
}

// work lets the clients ask for tokens and introspect them for a while.
func work(t *testing.T, s *apptest.Server, duration time.Duration) {
	began := time.Now()
	for ok := true; ok; ok = time.Since(began) < duration {
		for range 3 + rand.IntN(20) {
			id := "billing-job"
			if rand.IntN(3) == 0 {
				id = fmt.Sprintf("job-%02d", 1+rand.IntN(6))
			}
			token := s.Token(id, secret)
			for range 1 + rand.IntN(4) {
				s.Active("invoices-api", secret, token)
			}
		}
		if rand.IntN(3) == 0 {
			s.Post("/token", "job-07", secret, "grant_type=client_credentials")
			s.Post("/token", "job-12", "wrong", "grant_type=client_credentials")
		}
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
	}
}
