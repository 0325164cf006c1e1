package apptest

import (
	"os/exec"
	"testing"
)

// Program returns the path of a program. If the machine does not have it, the test is skipped, or fails in
// CI. debian is the package that has the program.
func Program(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, debian)
	}
	return path
}

// Missing skips the test because the machine lacks something, or fails it in CI.
func Missing(t testing.TB, product, debian string) {
	t.Helper()
	must(t, notInstalled{product, "apt-get install " + debian})
}

// FreeAddress returns a loopback address on which nothing listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	must(t, err)
	return loopback(port)
}
