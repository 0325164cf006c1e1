// Package tokens mints and recognises access tokens, and keeps them in Redis.
//
// A token is <prefix>_<52 characters><7 characters>: 260 random bits, then the CRC-32 of everything
// before it, both in the base32 alphabet A-Z2-7. The checksum keeps no one out. It lets secret
// scanners recognise a leaked token, and lets the server refuse garbage without asking Redis.
package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

const (
	randomLength   = 52 // characters, of 5 bits each
	checksumLength = 7
	tailLength     = randomLength + checksumLength
	// maxPrefix is the longest prefix, in bytes, that Recognise accepts. It bounds the work that
	// a stranger's text can cause.
	maxPrefix = 32
)

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Mint returns a new token with the prefix, from the system's random generator. Client secrets are
// minted here too, with SecretPrefix.
func Mint(prefix string) string {
	var random [33]byte // 264 bits, of which the first 260 are used
	rand.Read(random[:])
	token := make([]byte, 0, len(prefix)+1+tailLength)
	token = append(token, prefix...)
	token = append(token, '_')
	token = encoding.AppendEncode(token, random[:])[:len(prefix)+1+randomLength]
	return string(appendChecksum(token))
}

// SecretPrefix returns the prefix of generated client secrets, given that of tokens.
func SecretPrefix(tokenPrefix string) string { return tokenPrefix + "s" }

// ValidPrefix reports whether tokens may begin with prefix: 1 to 31 letters, digits and hyphens
// of ASCII, so that secrets, whose prefix is one longer, are recognised too.
func ValidPrefix(prefix string) bool {
	return len(prefix) < maxPrefix && validPrefix(prefix)
}

// Recognise reports whether text has the form of a token or secret, whatever its prefix: a server
// that is given a new prefix goes on accepting the tokens that live.
func Recognise(text string) bool {
	at := len(text) - tailLength
	if at < 2 || at > maxPrefix+1 || text[at-1] != '_' || !validPrefix(text[:at-1]) {
		return false
	}
	var checked [maxPrefix + 1 + tailLength]byte
	return string(appendChecksum(append(checked[:0], text[:at+randomLength]...))) == text &&
		inAlphabet(text[at:at+randomLength])
}

func appendChecksum(token []byte) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(token))
	return encoding.AppendEncode(token, sum[:])
}

func validPrefix(prefix string) bool {
	for _, c := range []byte(prefix) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return prefix != ""
}

func inAlphabet(text string) bool {
	return strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// ID returns the lower-case hex SHA-256 of the whole token: the name it goes by in Redis, in
// introspection (jti) and in the logs. It opens nothing.
func ID(token string) string {
	var text [128]byte // on the stack, as long as the token fits
	var id [2 * sha256.Size]byte
	sum := sha256.Sum256(append(text[:0], token...))
	hex.Encode(id[:], sum[:])
	return string(id[:])
}
