package app_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// Systemd hears that the server is ready when it listens, then that it lives, and at last that it stops.
func TestSystemdHears(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	hear := func(want string) {
		t.Helper()
		for {
			message := make([]byte, 1024)
			if err := socket.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := socket.Read(message)
			if err != nil {
				t.Fatalf("not heard: %s: %v", want, err)
			}
			switch got := string(message[:n]); got {
			case want:
				return
			case "WATCHDOG=1": // may come in between
			default:
				t.Fatalf("heard %q, want %q", got, want)
			}
		}
	}
	p := apptest.LaunchChit(t, []string{"CHIT_EMBEDDED_DATABASE=" + filepath.Join(t.TempDir(), "chit.db"), "NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=600000"})
	hear("READY=1")
	p.Listening()
	if got := apptest.Get(t, p.URL+"/readyz"); got.Status != 200 {
		t.Errorf("ready, but %d", got.Status)
	}
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	// A server that hangs says nothing more, so systemd restarts it.
	p.Signal(syscall.SIGSTOP)
	time.Sleep(time.Second)
	for heard := true; heard; {
		_ = socket.SetReadDeadline(time.Now().Add(time.Second)) // what was sent before
		_, err := socket.Read(make([]byte, 1024))
		heard = err == nil
	}
	p.Signal(syscall.SIGCONT)
	hear("WATCHDOG=1")
	p.Signal(syscall.SIGTERM)
	hear("STOPPING=1")
	p.Ended(20 * time.Second)
}
