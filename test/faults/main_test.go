//go:build faults

// Package faults_test does to a running Chit what a bad day does, under load, and checks what its
// users saw. CHIT_TEST_FAULT says how long a fault lasts, 2s unless set; -table names a file into
// whose marked part the results are written:
//
//	go test -tags faults ./test/faults -run TestFaults -v -table docs/reliability.md
package faults_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"chit/app"
	"chit/app/apptest"
)

var tablePath = flag.String("table", "", "path, from the root of the module, of the page that gets the table")

// leash is set for a test program that is to be a chit: descriptor 3 is then a pipe of which the
// tests hold the other end, whatever ends them.
const leash = "CHIT_FAULTS_LEASH"

func TestMain(m *testing.M) {
	if os.Getenv(leash) != "" {
		os.Unsetenv(leash)
		go func() {
			_, _ = os.NewFile(3, "leash").Read(make([]byte, 1)) // nobody writes: it waits for the end
			os.Exit(3)
		}()
		app.Main()
	}
	if os.Getenv("GORACE") == "" {
		// Under the race detector a process sleeps for a second before it exits, each chit too.
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

// eventually fails the test unless check succeeds within limit, and returns how long it took.
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
