// Package apptest starts throw-away servers for tests: PostgreSQL and Redis, from the programs on the
// machine, on free loopback ports. Every server ends with its test.
//
// If a server is not installed, the test is skipped. With CI=true it fails instead, so that no test is
// skipped in CI unnoticed.
package apptest

import (
	"errors"
	"os"
	"testing"
)

// notInstalled is the error for a program that a test needs and the machine does not have.
type notInstalled struct {
	product string // name of the product
	install string // command that installs it
}

func (e notInstalled) Error() string {
	return e.product + " is not installed"
}

// must ends the test on an error. The test is skipped if a program is missing, and fails otherwise.
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
