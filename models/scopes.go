package models

import (
	"slices"
	"strings"
)

// Scopes is a list of scopes (RFC 6749 §3.3) in the order given, without duplicates.
type Scopes []string

// ParseScopes splits a scope parameter or a column at its spaces. Blank text gives no scopes. It does not
// check the characters of a scope: a malformed scope in a request is on no client's list.
func ParseScopes(text string) Scopes {
	var scopes Scopes
	for scope := range strings.SplitSeq(text, " ") {
		if scope != "" && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// String returns the scopes as a scope parameter: separated by one space.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Grant returns the scopes that are granted for a scope parameter. A blank parameter is granted all of s.
// Otherwise the requested scopes are granted in their order. If one of them is not in s, Grant returns
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

// grantScope returns the result of Grant as text. It does not allocate for a single scope, which is what
// most requests ask for.
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

// WellFormed reports whether every scope has only the characters that RFC 6749 §3.3 allows: printable ASCII
// without the space, the double quote and the backslash.
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
