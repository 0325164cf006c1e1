//go:build faults

// Package faults_test breaks things around a running Chit under load and checks what its users see.
// CHIT_TEST_FAULT sets how long a fault lasts; the default is 2s. -table names a file for the results,
// which are written between two marks:
//
//	go test -tags faults ./test/faults -run TestFaults -v -table docs/reliability.md
package faults_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/app/cli"
)

var tablePath = flag.String("table", "", "path, from the root of the module, of the page that gets the table")

// leash is set if the test program is to run as chit, and must end with the tests. Its descriptor 3 is a
// pipe, and the tests hold the other end.
const leash = "CHIT_FAULTS_LEASH"

func TestMain(m *testing.M) {
	if os.Getenv(leash) != "" {
		os.Unsetenv(leash)
		go func() {
			_, _ = os.NewFile(3, "leash").Read(make([]byte, 1)) // nothing is written: this waits for the end
			os.Exit(3)
		}()
		cli.Main()
	}
	if os.Getenv("GORACE") == "" {
		// With the race detector a process sleeps for a second before it exits. That includes every chit.
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	apptest.Run(m)
}

// outage is how long a fault lasts.
var outage = durationFrom("CHIT_TEST_FAULT", 2*time.Second)

func durationFrom(variable string, otherwise time.Duration) time.Duration {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		panic(fmt.Sprint(variable, ": ", err))
	}
	return parsed
}

// eventually fails the test unless check returns true within the limit. It returns how long that took.
func eventually(t testing.TB, limit time.Duration, what string, check func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !check() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}
