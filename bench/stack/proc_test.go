package stack

import (
	"slices"
	"testing"
	"time"
)

func TestUsageIn(t *testing.T) {
	stat := "4711 (a) b (c)) S 1 4711 4711 0 -1 4194560 100 0 7 0 150 25 3 4 20 0 9 0 88 1 2 3\n"
	status := "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
	got, err := usageIn([]byte(stat), status)
	if want := (Usage{CPU: 1750 * time.Millisecond, RSS: 1 << 20, Peak: 2 << 20}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := usageIn([]byte("4711 (a) S 1"), status); err == nil {
		t.Error("a short stat is believed")
	}
	if _, err := usageIn([]byte(stat), "Name:\tx\n"); err == nil {
		t.Error("a status without memory, as a process has that has ended, is believed")
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("CHIT_TOKEN_TTL", "1s")
	t.Setenv("GOGC", "400")
	t.Setenv("PGHOST", "elsewhere")
	t.Setenv("KEPT", "yes")
	got := environment("GOGC=200")
	for entry, want := range map[string]bool{
		"CHIT_TOKEN_TTL=1s": false, "GOGC=400": false, "PGHOST=elsewhere": false, "KEPT=yes": true, "GOGC=200": true,
	} {
		if slices.Contains(got, entry) != want {
			t.Errorf("%s is passed on: %v, want %v", entry, !want, want)
		}
	}
}

func TestDataIn(t *testing.T) {
	got, err := dataIn("# Memory\r\nused_memory:5000\r\nused_memory_human:4.88K\r\nmem_clients_normal:1800\r\n")
	if err != nil || got != 3200 {
		t.Errorf("got %d, %v; want 3200", got, err)
	}
	if _, err := dataIn("# Memory\r\n"); err == nil {
		t.Error("an INFO without used_memory is believed")
	}
}
