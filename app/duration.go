package app

import (
	"fmt"
	"time"

	"chit/models"
)

// Duration is a setting in Go's notation, such as 3600s or 1h30m. It keeps malformed text, so that Check
// can report it together with other faults.
type Duration struct {
	time.Duration
	malformed string
}

// UnmarshalText never fails. Check reports malformed text.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		d.malformed = fmt.Sprintf("%q is not a duration: write 90s, 15m or 1h", text)
	}
	d.Duration = parsed
	return nil
}

// Given reports whether d was set. The zero value counts as not set.
func (d Duration) Given() bool { return d.Duration != 0 || d.malformed != "" }

// Check returns a fault if d is malformed or shorter than least.
func (d Duration) Check(setting string, least time.Duration) error {
	switch {
	case d.malformed != "":
		return Fault(setting, "%s", d.malformed)
	case d.Duration < least:
		return Fault(setting, "%v is too short: the least is %v", d.Duration, least)
	}
	return nil
}

const maxLifetime = models.MaxTTLSeconds * time.Second

// CheckLifetime returns a fault unless d is a valid lifetime of a token, in whole seconds.
func (d Duration) CheckLifetime(setting string) error {
	switch err := d.Check(setting, time.Second); {
	case err != nil:
		return err
	case d.Duration > maxLifetime:
		return Fault(setting, "%v is too long: the most is %v", d.Duration, maxLifetime)
	case d.Duration%time.Second != 0:
		return Fault(setting, "%v is not in whole seconds", d.Duration)
	}
	return nil
}
