package apptest

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// Paste runs commands in one shell and returns the output of each.
func Paste(t testing.TB, shell string, commands ...string) []string {
	t.Helper()
	const mark = "-- next --\n"
	var script strings.Builder
	for _, command := range commands {
		script.WriteString(command + "\necho; echo '" + strings.TrimSpace(mark) + "'\n")
	}
	cmd := exec.Command(shell)
	cmd.Stdin = strings.NewReader(script.String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v: %s", err, &stderr)
	}
	printed := strings.Split(string(out), mark)
	if len(printed) != len(commands)+1 {
		t.Fatalf("%d commands printed %d times:\n%s", len(commands), len(printed)-1, out)
	}
	for i := range printed {
		printed[i] = strings.TrimSpace(printed[i])
	}
	return printed
}
