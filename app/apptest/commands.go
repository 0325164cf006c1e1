package apptest

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Soon is the time within which a change by SQL is in force.
const Soon = time.Second

// Nobody is an address on which nothing listens.
const Nobody = "127.0.0.1:1"

// Password is the password in URLs of tests. It must not be in any message.
const Password = "s3kret"

// WithPassword returns rawURL with the Password.
func WithPassword(t testing.TB, rawURL string) string {
	t.Helper()
	parsed, err := url.Parse(rawURL)
	must(t, err)
	parsed.User = url.UserPassword(parsed.User.Username(), Password)
	return parsed.String()
}

// Migrated returns the URL of a PostgreSQL database with all steps applied and no client.
func Migrated(t testing.TB) string {
	t.Helper()
	database := Database(t)
	if up := Chit(t, []string{"CHIT_DATABASE_URL=" + database}, "migrate", "up"); up.Status != 0 {
		t.Fatalf("migrate up: %s", up.Stderr)
	}
	return database
}

// Created is the JSON output of chit client create.
type Created struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// Create runs chit client create.
func Create(t testing.TB, env []string, args ...string) Created {
	t.Helper()
	got := Chit(t, env, append([]string{"client", "create", "--output=json"}, args...)...)
	var client Created
	if err := json.Unmarshal([]byte(got.Stdout), &client); err != nil || got.Status != 0 {
		t.Fatalf("client create: status %d, %v: %s", got.Status, err, got.Stderr)
	}
	return client
}

// Says expects success and some text.
func (r Result) Says(t testing.TB, want string) {
	t.Helper()
	if r.Status != 0 || r.Stderr != "" || !strings.Contains(r.Stdout, want) {
		t.Errorf("want %q: %+v", want, r)
	}
}

// Fails expects status 1 and this line alone.
func (r Result) Fails(t testing.TB, line string) {
	t.Helper()
	r.fails(t, 1, line)
}

// IsMisused expects the status of a wrong use, which is 2, and this line alone.
func (r Result) IsMisused(t testing.TB, line string) {
	t.Helper()
	r.fails(t, 2, line)
}

func (r Result) fails(t testing.TB, status int, line string) {
	t.Helper()
	if want := (Result{Stderr: "chit: " + line + "\n", Status: status}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

// Succeeds expects success and this line alone.
func (r Result) Succeeds(t testing.TB, line string) {
	t.Helper()
	if want := (Result{Stdout: line + "\n"}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

// IsOneLine reports whether text is a single line from chit, without a log.
func IsOneLine(text string) bool {
	return strings.HasPrefix(text, "chit: ") && strings.Count(text, "\n") == 1 && strings.HasSuffix(text, "\n")
}

// File creates a file with this content and returns its path.
func File(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
