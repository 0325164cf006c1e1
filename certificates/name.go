package certificates

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Name is a distinguished name as RFC 4514 writes it: the last relative name of the certificate comes first.
type Name []relativeName

// relativeName is a set of attributes, nearly always of one.
type relativeName []attribute

// attribute is a kind and a value. If raw is set, it is the value in DER, and text is not used.
type attribute struct {
	kind string // an OID in dotted form
	text string
	raw  []byte
}

// kinds are the short names of attributes in RFC 4514 §3, and those that OpenSSL and Java write beside them.
var kinds = map[string]string{
	"CN": "2.5.4.3", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6",
	"STREET": "2.5.4.9", "DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1",
	"S": "2.5.4.8", "SN": "2.5.4.4", "GN": "2.5.4.42", "GIVENNAME": "2.5.4.42", "SURNAME": "2.5.4.4", "T": "2.5.4.12", "TITLE": "2.5.4.12",
	"SERIALNUMBER": "2.5.4.5", "POSTALCODE": "2.5.4.17", "DNQ": "2.5.4.46", "DNQUALIFIER": "2.5.4.46", "ORGANIZATIONIDENTIFIER": "2.5.4.97",
	"EMAILADDRESS": "1.2.840.113549.1.9.1", "E": "1.2.840.113549.1.9.1",
}

// ParseName parses a distinguished name in the form of RFC 4514, such as CN=billing,O=Acme\, Inc.,C=DE. Spaces
// around its parts do not count.
func ParseName(text string) (Name, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("is empty")
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("is not UTF-8")
	}
	var name Name
	for _, part := range split(text, ',') {
		var relative relativeName
		for _, pair := range split(part, '+') {
			parsed, err := parseAttribute(pair)
			if err != nil {
				return nil, err
			}
			relative = append(relative, parsed)
		}
		name = append(name, relative)
	}
	return name, nil
}

// split splits text at separators that are not escaped.
func split(text string, separator byte) (parts []string) {
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case separator:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

func parseAttribute(pair string) (attribute, error) {
	kind, value, found := strings.Cut(pair, "=")
	kind = strings.ToUpper(strings.TrimSpace(kind))
	if !found || kind == "" {
		return attribute{}, fmt.Errorf("has the part %q, which is no attribute: write CN=billing,O=Acme", strings.TrimSpace(pair))
	}
	kind = strings.TrimPrefix(kind, "OID.")
	if known := kinds[kind]; known != "" {
		kind = known
	} else if strings.Trim(kind, "0123456789.") != "" {
		return attribute{}, fmt.Errorf("has the attribute %s, which is not known: write its OID", kind)
	}
	value = trimSpace(value)
	if digits, encoded := strings.CutPrefix(value, "#"); encoded {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) == 0 {
			return attribute{}, fmt.Errorf("has the value %q, which is not hexadecimal after the #", value)
		}
		return attribute{kind: kind, raw: raw}, nil
	}
	unescaped, err := unescape(value)
	return attribute{kind: kind, text: unescaped}, err
}

// trimSpace removes spaces around a value, but not one that is escaped.
func trimSpace(value string) string {
	value = strings.TrimLeft(value, " ")
	trimmed := strings.TrimRight(value, " ")
	if backslashes := len(trimmed) - len(strings.TrimRight(trimmed, `\`)); backslashes%2 == 1 && len(trimmed) < len(value) {
		trimmed += " "
	}
	return trimmed
}

// escapable are the characters that may follow a backslash as they are.
const escapable = `"+,;<>= #\`

func unescape(value string) (string, error) {
	var text strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c != '\\':
			if strings.IndexByte(`";<>`, c) >= 0 {
				return "", fmt.Errorf("has %q in a value: write it with a backslash before it", string(c))
			}
			text.WriteByte(c)
		case i+1 < len(value) && strings.IndexByte(escapable, value[i+1]) >= 0:
			i++
			text.WriteByte(value[i])
		default:
			pair, err := hex.DecodeString(value[min(i+1, len(value)):min(i+3, len(value))])
			if err != nil || len(pair) != 1 {
				return "", errors.New(`has a backslash that escapes nothing: write \\ for a backslash`)
			}
			i += 2
			text.WriteByte(pair[0])
		}
	}
	if !utf8.ValidString(text.String()) {
		return "", errors.New("has a value that is not UTF-8")
	}
	return text.String(), nil
}

// Matches reports whether a certificate's subject has this name (RFC 4517 §4.2.15). raw is the subject in DER.
// Upper and lower case, and the number of spaces between words, do not count.
func (n Name) Matches(raw []byte) bool {
	var subject []rawNameSET
	if rest, err := asn1.Unmarshal(raw, &subject); err != nil || len(rest) > 0 || len(subject) != len(n) || len(n) == 0 {
		return false
	}
	for i, relative := range n {
		if !relative.matches(subject[len(subject)-1-i]) {
			return false
		}
	}
	return true
}

// rawNameSET is a relative name in a certificate. asn1 reads a type whose name ends in SET as a set.
type rawNameSET []rawAttribute

type rawAttribute struct {
	Kind  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// matches reports whether each attribute has one of its own in the certificate.
func (r relativeName) matches(raw rawNameSET) bool {
	if len(r) != len(raw) {
		return false
	}
	used := make([]bool, len(raw))
next:
	for _, wanted := range r {
		for i, given := range raw {
			if !used[i] && wanted.matches(given) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func (a attribute) matches(given rawAttribute) bool {
	if a.kind != given.Kind.String() {
		return false
	}
	if a.raw != nil {
		return bytes.Equal(a.raw, given.Value.FullBytes)
	}
	var text string
	if _, err := asn1.Unmarshal(given.Value.FullBytes, &text); err != nil {
		return false
	}
	return folded(a.text) == folded(text)
}

// folded returns a text in which case and the number of spaces do not count.
func folded(text string) string {
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}

// written returns a subject as RFC 4514 writes it, for the log.
func written(raw []byte) string {
	var subject pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &subject); err != nil {
		return "malformed"
	}
	return subject.String()
}
