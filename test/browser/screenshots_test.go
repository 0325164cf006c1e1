package browser_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
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
				err = save(filepath.Join(directory, name+"-"+form.name+".png"), picture)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range []struct{ name, path string }{
		{"overview", "/"}, {"clients", "/clients"}, {"client", "/client?id=billing-job"}, {"register", "/clients/new"}, {"tokens", "/client/tokens?id=billing-job"},
		{"token", "/tokens/one?jti=" + jti}, {"delete", "/client/delete?id=billing-job"}, {"audit", "/audit"}, {"missing", "/client?id=nobody"},
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

// tallest is the height of the tallest picture, in pixels. Long lists are cut off.
const tallest = 1700

// save writes a picture.
func save(path string, picture []byte) error {
	whole, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	size := whole.Bounds()
	part := image.NewRGBA(image.Rect(0, 0, size.Dx(), min(size.Dy(), tallest)))
	draw.Draw(part, part.Bounds(), whole, size.Min, draw.Src)
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	return errors.Join(encoder.Encode(file, part), file.Close())
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
