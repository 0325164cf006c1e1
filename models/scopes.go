package models

import (
	"slices"
	"strings"
)

// Scopes is a list of scope-tokens (RFC 6749 §3.3) in the order given, without repeats.
type Scopes []string

// ParseScopes splits a scope parameter or column at its spaces. Blank text gives no scopes. Which
// characters a scope may have is not checked here: a malformed one is in no client's list.
func ParseScopes(text string) Scopes {
	var scopes Scopes
	for scope := range strings.SplitSeq(text, " ") {
		if scope != "" && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// String returns the scopes as the scope parameter has them: separated by one space.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Grant returns the part of s that requested, a scope parameter, asks for: all of s when it is
// blank, else each requested scope in the order requested. A scope outside s gives
// ErrScopeNotAllowed.
func (s Scopes) Grant(requested string) (Scopes, error) {
	var granted Scopes
	for scope := range strings.SplitSeq(requested, " ") {
		switch {
		case scope == "":
		case !slices.Contains(s, scope):
			return nil, ErrScopeNotAllowed
		case !slices.Contains(granted, scope):
			granted = append(granted, scope)
		}
	}
	if granted == nil {
		return s, nil
	}
	return granted, nil
}

// grantScope returns what Grant does as text. One scope, which is what most requests ask for, costs
// no allocation.
func grantScope(allowed, requested string) (string, error) {
	if requested == "" || strings.Contains(requested, " ") {
		granted, err := ParseScopes(allowed).Grant(requested)
		return granted.String(), err
	}
	for scope := range strings.SplitSeq(allowed, " ") {
		if scope == requested {
			return requested, nil
		}
	}
	return "", ErrScopeNotAllowed
}

// WellFormed reports whether every scope consists of the characters that RFC 6749 §3.3 allows:
// printable ASCII but the space, the double quote and the backslash.
func (s Scopes) WellFormed() bool {
	for _, scope := range s {
		for _, c := range []byte(scope) {
			if c <= ' ' || c > '~' || c == '"' || c == '\\' {
				return false
			}
		}
	}
	return true
}
