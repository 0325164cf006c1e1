package guard

import (
	"net/url"
	"strings"
)

// sameURL reports whether two URLs are the same after normalisation (RFC 3986 §6.2.2, §6.2.3), without their queries
// and fragments.
func sameURL(one, other string) bool {
	if one == other {
		return true
	}
	first, fit := normalURL(one)
	second, alsoFit := normalURL(other)
	return fit && alsoFit && first == second
}

// normalURL returns the normal form of an http(s) URL. fit is false for anything else, and for one with a user.
func normalURL(text string) (normal string, fit bool) {
	text, _, _ = strings.Cut(text, "#")
	text, _, _ = strings.Cut(text, "?")
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.User != nil {
		return "", false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[parsed.Scheme] // Parse makes the scheme lower-case
	if port == "" {
		return "", false
	}
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(parsed.Host), port), ":")
	parsed, err = url.Parse(parsed.Scheme + "://" + host + normalEscapes(parsed.EscapedPath()))
	if err != nil {
		return "", false
	}
	parsed = (&url.URL{}).ResolveReference(parsed) // removes dot segments
	if parsed.Path == "" {
		parsed.Path = "/"
	}
	return parsed.Scheme + "://" + host + parsed.EscapedPath(), true
}

// normalEscapes decodes the escapes of unreserved characters in a path, and writes the others in capitals.
func normalEscapes(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var normal strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			normal.WriteByte(path[i])
			continue
		}
		escape := path[i : i+3]
		if decoded, err := url.PathUnescape(escape); err == nil && isUnreserved(decoded[0]) {
			normal.WriteString(decoded)
		} else {
			normal.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return normal.String()
}

// isUnreserved reports whether c has the same meaning with and without an escape (RFC 3986 §2.3).
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
