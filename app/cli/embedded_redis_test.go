package cli_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// embeddedTokens has two servers of the embedded mode on one file, and runs commands on it.
type embeddedTokens struct {
	*testing.T
	database string
}

func (e embeddedTokens) env() []string { return []string{"CHIT_EMBEDDED_DATABASE=" + e.database} }

// listed returns the number of tokens that the command lists.
func (e embeddedTokens) listed() int {
	e.Helper()
	got := apptest.Chit(e, e.env(), "token", "list", "--client", demo, "--output", "json")
	if got.Status != 0 {
		e.Errorf("%+v", got)
	}
	return strings.Count(got.Stdout, "jti")
}

func (e embeddedTokens) noServer() {
	e.Helper()
	got := apptest.Chit(e, e.env(), "token", "list", "--client", demo)
	if got.Status != 1 || !strings.HasPrefix(got.Stderr, "chit: no embedded server is running on "+e.database+", so there are no tokens: ") {
		e.Errorf("%+v", got)
	}
}

// The commands find the Redis of the running server by a file. Other users cannot read the file, and the
// server deletes it when it stops.
func TestEmbeddedRedisIsFound(t *testing.T) {
	t.Parallel()
	e := embeddedTokens{t, t.TempDir() + "/chit.db"}
	first := apptest.StartChit(t, e.env())
	first.Token(demo, demoSecret)
	if info, err := os.Stat(e.database + "-redis"); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	second := apptest.StartChit(t, e.env())
	if e.listed() != 0 {
		t.Error("the server that started last is not the one that is found")
	}
	first.Signal(syscall.SIGINT)
	first.Ended(5 * time.Second)
	second.Token(demo, demoSecret)
	if e.listed() != 1 {
		t.Error("the file went with the wrong server")
	}
	second.Signal(syscall.SIGINT)
	second.Ended(5 * time.Second)
	if _, err := os.Stat(e.database + "-redis"); !os.IsNotExist(err) {
		t.Errorf("after both have ended: %v", err)
	}
	e.noServer()
}

// A server that is killed leaves its file behind. The next server replaces the file.
func TestEmbeddedRedisOfAKilledServer(t *testing.T) {
	t.Parallel()
	e := embeddedTokens{t, t.TempDir() + "/chit.db"}
	killed := apptest.StartChit(t, e.env())
	killed.Signal(syscall.SIGKILL)
	killed.Ended(5 * time.Second)
	e.noServer()
	apptest.StartChit(t, e.env()).Token(demo, demoSecret)
	if e.listed() != 1 {
		t.Error("the new server is not found")
	}
}
