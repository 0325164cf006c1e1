package app

import (
	"fmt"
	"math"
	"time"
)

// duration is a setting in Go's notation, such as 3600s or 1h30m. A text that is none is kept, so
// that it is reported together with the other faults.
type duration struct {
	time.Duration
	malformed string
}

// UnmarshalText never fails: check does.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		d.malformed = fmt.Sprintf("%q is not a duration: write 90s, 15m or 1h", text)
	}
	d.Duration = parsed
	return nil
}

// given reports whether d was set to anything but nothing, its default where there is none.
func (d duration) given() bool { return d.Duration != 0 || d.malformed != "" }

// check returns a fault unless d is at least least.
func (d duration) check(setting string, least time.Duration) error {
	switch {
	case d.malformed != "":
		return fault(setting, "%s", d.malformed)
	case d.Duration < least:
		return fault(setting, "%v is too short: the least is %v", d.Duration, least)
	}
	return nil
}

// maxLifetime is the longest that the column token_ttl_seconds can say.
const maxLifetime = math.MaxInt32 * time.Second

// checkLifetime returns a fault unless d can be the lifetime of a token: whole seconds.
func (d duration) checkLifetime(setting string) error {
	switch err := d.check(setting, time.Second); {
	case err != nil:
		return err
	case d.Duration > maxLifetime:
		return fault(setting, "%v is too long: the most is %v", d.Duration, maxLifetime)
	case d.Duration%time.Second != 0:
		return fault(setting, "%v is not in whole seconds", d.Duration)
	}
	return nil
}
