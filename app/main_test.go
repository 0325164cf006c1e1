package app_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"chit/app"
	"chit/app/apptest"
)

// TestMain puts a chit into PATH, for scripts and for the tests that start it by themselves.
func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// Under the race detector a process sleeps for a second before it exits, each chit too.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	testscript.Main(apptest.Tests{M: m}, map[string]func(){"chit": leashed})
}

// leash is set for a chit that must not outlive the tests: descriptor 3 is then a pipe of which
// they hold the other end, whatever ends them.
const leash = "CHIT_TEST_LEASH"

func leashed() {
	if os.Getenv(leash) != "" {
		go func() {
			_, _ = os.NewFile(3, "leash").Read(make([]byte, 1)) // nobody writes: it waits for the end
			os.Exit(3)
		}()
	}
	app.Main()
}
