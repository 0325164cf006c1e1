package models

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// IsResource reports whether text can identify a resource server: an absolute URI without a fragment (RFC 8707 §2).
func IsResource(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || len(text) == len(parsed.Scheme)+1 {
		return false
	}
	return parsed.Host != "" || parsed.Scheme != "http" && parsed.Scheme != "https"
}

// Audience are the resource servers that a token is for, separated by one space; empty: all. In JSON it is a text if
// there is one, and a list if there are more (RFC 7519 §4.1.3).
type Audience string

// List returns the resource servers.
func (a Audience) List() []string { return strings.Fields(string(a)) }

// MarshalJSON returns a text or a list.
func (a Audience) MarshalJSON() ([]byte, error) {
	if strings.Contains(string(a), " ") {
		return json.Marshal(a.List())
	}
	return json.Marshal(string(a))
}

// UnmarshalJSON reads a text or a list.
func (a *Audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = Audience(one)
		return nil
	}
	var list []string
	if json.Unmarshal(text, &list) != nil {
		return errors.New("aud is neither a text nor a list of texts")
	}
	*a = Audience(strings.Join(list, " "))
	return nil
}

// ParseResources splits a list of resources at its white space. A resource that is there twice is dropped.
func ParseResources(text string) (resources []string) {
	for resource := range strings.FieldsSeq(text) {
		if !slices.Contains(resources, resource) {
			resources = append(resources, resource)
		}
	}
	return resources
}

// audience returns the audience of a token for these resources: all that are allowed if none is named. It returns
// ErrResourceMalformed or ErrResourceNotAllowed. URIs are compared as texts.
func (c *Client) audience(resources []string) (Audience, error) {
	if len(resources) == 0 && c.AllowedResources == "" {
		return "", nil
	}
	allowed := ParseResources(string(c.AllowedResources))
	if len(resources) == 0 {
		return Audience(strings.Join(allowed, " ")), nil
	}
	for _, resource := range resources {
		switch {
		case !IsResource(resource):
			return "", ErrResourceMalformed
		case !slices.Contains(allowed, resource):
			return "", ErrResourceNotAllowed
		}
	}
	return Audience(strings.Join(ParseResources(strings.Join(resources, " ")), " ")), nil
}

// IsFor reports whether a resource server with these identifiers, separated by white space, may accept the token. A token
// without an audience is for everybody, and a server without identifiers accepts every token.
func (t AccessToken) IsFor(identifiers Text) bool {
	if t.Audience == "" || identifiers == "" {
		return true
	}
	for identifier := range strings.FieldsSeq(string(identifiers)) {
		for audience := range strings.SplitSeq(string(t.Audience), " ") {
			if identifier == audience {
				return true
			}
		}
	}
	return false
}
