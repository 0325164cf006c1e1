package app_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"chit/app"
	"chit/app/apptest"
)

// TestMain puts chit into PATH for the scripts and for the tests that start it.
func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// With the race detector a process sleeps for a second before it exits. That includes every chit.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	testscript.Main(apptest.Tests{M: m}, map[string]func(){"chit": leashed})
}

// leash is set for a chit that must end with the tests. Its descriptor 3 is a pipe, and the tests hold the
// other end.
const leash = "CHIT_TEST_LEASH"

func leashed() {
	if os.Getenv(leash) != "" {
		go func() {
			_, _ = os.NewFile(3, "leash").Read(make([]byte, 1)) // nothing is written: this waits for the end
			os.Exit(3)
		}()
	}
	app.Main()
}
