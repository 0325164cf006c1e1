package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"chit/app/apptest"
)

// X-Forwarded-For is only believed if it comes from a trusted proxy.
func TestForwardedFor(t *testing.T) {
	for _, row := range []struct{ name, proxies, header, remote string }{
		{"no proxies", "", "192.0.2.1", "127.0.0.1"},
		{"the peer is no proxy", "10.0.0.0/8,::1", "192.0.2.1", "127.0.0.1"},
		{"one proxy", "127.0.0.1", "192.0.2.1", "192.0.2.1"},
		{"a range", "127.0.0.0/8", "192.0.2.1", "192.0.2.1"},
		{"two proxies", "127.0.0.1, 10.0.0.0/8", "192.0.2.1, 10.1.2.3", "192.0.2.1"},
		{"the client claims another address", "127.0.0.1", "203.0.113.9, 192.0.2.1", "192.0.2.1"},
		{"the client claims a proxy's", "127.0.0.1,10.0.0.0/8", "203.0.113.9, 10.1.2.3, 192.0.2.1", "192.0.2.1"},
		{"private addresses are no proxies by themselves", "127.0.0.1", "203.0.113.9, 10.1.2.3", "10.1.2.3"},
		{"IPv6", "127.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"garbage from the proxy", "127.0.0.1", "192.0.2.1, <script>", "127.0.0.1"},
		{"garbage from the client", "127.0.0.1", "\"x\", 192.0.2.1", "192.0.2.1"},
		{"empty", "127.0.0.1", "", "127.0.0.1"},
		{"with a port", "127.0.0.1", "203.0.113.9:4711", "203.0.113.9"},
		{"IPv6 with a port", "127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"},
		{"IPv6 in brackets", "127.0.0.1", "[2001:db8::1]", "2001:db8::1"},
		{"a proxy with a port", "127.0.0.1,10.0.0.0/8", "192.0.2.1:80, 10.1.2.3:4711", "192.0.2.1"},
		{"IPv4 in IPv6", "127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"},
		{"a port alone", "127.0.0.1", ":4711", "127.0.0.1"},
		{"all are proxies", "127.0.0.1,10.0.0.0/8", "10.0.0.1, 10.0.0.2", "10.0.0.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := apptest.Embedded(t, "--trusted-proxies="+row.proxies)
			from(t, s, row.header, "nobody", "wrong")
			all := lines(t, s)
			if got := all[len(all)-1]["remote"]; got != row.remote {
				t.Errorf("remote is %v, want %s", got, row.remote)
			}
		})
	}
}

// A client that invents addresses counts as one client, and the log hints at the cause.
func TestForwardedForDoesNotEvade(t *testing.T) {
	s := register(apptest.Embedded(t, "--throttle-client=3"))
	for i := range 5 {
		if got := guess(t, s, 1, fmt.Sprint("192.0.2.", i), "alice"); (got == "429") != (i >= 3) {
			t.Errorf("guess %d: %s", i, got)
		}
	}
	if !strings.Contains(s.Log(), "name it in CHIT_TRUSTED_PROXIES") {
		t.Error("the log does not say why")
	}
}
