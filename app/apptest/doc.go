// Package apptest starts throw-away servers for tests: real PostgreSQL and Redis, from the programs that are installed on the
// machine, on free loopback ports. Everything that is started here ends with the test that asked for it.
//
// A test that needs a server which is not installed is skipped, except where CI=true: there it fails, so that a broken machine
// does not pass for a green run.
package apptest

import (
	"errors"
	"os"
	"testing"
)

// notInstalled says that a program which a test needs is not on this machine.
type notInstalled struct {
	product string // as people call it
	install string // the command that brings it
}

func (e notInstalled) Error() string {
	return e.product + " is not installed"
}

// must ends the test on an error: skipped where it comes from a missing program, failed otherwise.
func must(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if missing, ok := errors.AsType[notInstalled](err); ok && os.Getenv("CI") != "true" {
		t.Skipf("%v: skipped (%s)", missing, missing.install)
	}
	t.Fatal(err)
}
