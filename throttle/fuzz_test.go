package throttle

import (
	"regexp"
	"testing"
)

// For any address and client id, the key is short, has plain characters, and is in the Cluster slot of its
// network. Different client ids have different keys.
func FuzzKey(f *testing.F) {
	f.Add("192.0.2.1", "alice")
	f.Add("2001:db8::1%eth0", "}{")
	f.Add("::ffff:192.0.2.1", "")
	f.Add("<script>", "a\x00b\xff\r\n")
	form := regexp.MustCompile(`^(oauth:throttle:\{[0-9a-f.:/]{1,48}\}|oauth:throttle:\{unknown\}):[0-9a-f]{64}$`)
	f.Fuzz(func(t *testing.T, address, clientID string) {
		where := network(address)
		key := of(where, clientID).key()
		if !form.MatchString(key) {
			t.Errorf("%q at %q has the key %q", clientID, address, key)
		}
		if whole := (subject{network: where}).key(); key[:len(key)-65] != whole {
			t.Errorf("%q at %q: %q is not in the slot of %q", clientID, address, key, whole)
		}
		if of(where, clientID+"x").key() == key {
			t.Errorf("%q and another id have one key", clientID)
		}
	})
}
