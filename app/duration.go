package app

import (
	"fmt"
	"math"
	"time"
)

// duration is a setting in Go's notation, such as 3600s or 1h30m. It keeps malformed text, so that check
// can report it together with other faults.
type duration struct {
	time.Duration
	malformed string
}

// UnmarshalText never fails. check reports malformed text.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		d.malformed = fmt.Sprintf("%q is not a duration: write 90s, 15m or 1h", text)
	}
	d.Duration = parsed
	return nil
}

// given reports whether d was set. The zero value counts as not set.
func (d duration) given() bool { return d.Duration != 0 || d.malformed != "" }

// check returns a fault if d is malformed or shorter than least.
func (d duration) check(setting string, least time.Duration) error {
	switch {
	case d.malformed != "":
		return fault(setting, "%s", d.malformed)
	case d.Duration < least:
		return fault(setting, "%v is too short: the least is %v", d.Duration, least)
	}
	return nil
}

// maxLifetime is the longest lifetime that the column token_ttl_seconds can hold.
const maxLifetime = math.MaxInt32 * time.Second

// checkLifetime returns a fault unless d is a valid lifetime of a token, in whole seconds.
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
