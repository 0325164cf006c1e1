package cli_test

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"chit/app/apptest"
)

func TestHashSecretFromATerminalShowsNothingOfIt(t *testing.T) {
	t.Parallel()
	person, terminal := pseudoTerminal(t)
	cmd := apptest.ChitCommand(t, nil, "hash-secret")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it has ended, unless the test failed
	apptest.Eventually(t, 10*time.Second, "the terminal does not echo", func() bool { return !echoes(t, person) })
	if _, err := io.WriteString(person, "my-secret\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	if got := stdout.String(); got != "GG73bp1qcj7LVw1NnCh0h9AB5dNfftSjEzUKQHlQMY4=\n" {
		t.Errorf("standard output %q", got)
	}
	if got := stderr.String(); got != "Secret: \n" {
		t.Errorf("standard error %q", got)
	}
	if !echoes(t, person) {
		t.Error("the terminal is left without echo")
	}
	terminal.Close()
	if screen, _ := io.ReadAll(person); len(screen) > 0 { // it ends with an error when nobody holds the other end
		t.Errorf("the terminal shows %q", screen)
	}
}

// pseudoTerminal returns the side of the person who types and the side of the program.
func pseudoTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
