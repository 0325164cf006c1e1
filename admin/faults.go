package admin

import (
	"fmt"
	"strings"

	"chit/models"
)

// Fault is a field with a wrong value.
type Fault struct {
	Field  string // JSON name
	Detail string // what is wrong and what to do
}

// Invalid is the error for wrong values. It has every fault.
type Invalid []Fault

func (faults Invalid) Error() string {
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.Field + ": " + f.Detail
	}
	return strings.Join(lines, "\n")
}

// orNil returns an error without a value if there is no fault.
func (faults Invalid) orNil() error {
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func (faults *Invalid) add(bad bool, field, format string, args ...any) {
	if bad {
		*faults = append(*faults, Fault{field, fmt.Sprintf(format, args...)})
	}
}

func (faults *Invalid) checkName(name string) {
	faults.add(strings.ContainsRune(name, 0), "client_name", "has a NUL character, which the database cannot store")
}

func (faults *Invalid) checkScope(scope string) {
	faults.add(!models.ParseScopes(scope).WellFormed(), "scope", "%q has a character that RFC 6749 §3.3 does not allow", scope)
}

func (faults *Invalid) checkGrantTypes(types []string) {
	for _, grantType := range types {
		faults.add(grantType != models.ClientCredentials, "grant_types", "%q is not supported: the only grant type is %s", grantType, models.ClientCredentials)
	}
}

func (faults *Invalid) checkTTL(seconds int64) {
	faults.add(seconds < 1 || seconds > models.MaxTTLSeconds, "token_ttl_seconds", "%d is not a number of seconds from 1 to %d", seconds, models.MaxTTLSeconds)
}

// checkClientID is stricter than the database. A colon or a space in an id leads to mistakes with HTTP Basic.
func (faults *Invalid) checkClientID(id string) {
	visible := func(r rune) bool { return r > ' ' && r <= '~' && r != ':' }
	fits := models.CanBeClientID(id) && strings.IndexFunc(id, func(r rune) bool { return !visible(r) }) < 0
	faults.add(!fits, "client_id", "%q is not 1 to 255 visible ASCII characters without a colon", id)
}
