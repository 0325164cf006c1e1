package throttle

import (
	"strconv"
	"testing"
	"time"
)

// The memory is bounded, no matter how many addresses fail.
func TestMemoryIsBounded(t *testing.T) {
	var m memory
	now := time.Now()
	for i := range maxRemembered + 1000 {
		where := network("10." + strconv.Itoa(i>>16) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255))
		m.count([]limit{{subject{network: where}, 1}}, now)
		m.block(subject{network: where}, now, window, true)
	}
	if len(m.entries) > maxRemembered {
		t.Errorf("%d entries", len(m.entries))
	}
	later := now.Add(window)
	m.count([]limit{{of(network("192.0.2.1"), "alice"), 1}}, later)
	if len(m.entries) != 1 {
		t.Errorf("%d entries after their windows", len(m.entries))
	}
}

func BenchmarkWait(b *testing.B) {
	for name, blocked := range map[string]bool{"nobody blocked": false, "others blocked": true} {
		b.Run(name, func(b *testing.B) {
			f := &Failures{PerClient: 100, PerAddress: 1000, Now: time.Now}
			if blocked {
				f.memory.block(of(network("192.0.2.1"), "mallory"), time.Now(), time.Hour, false)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Wait(b.Context(), "192.0.2.7", "my-machine-client")
			}
		})
	}
}
