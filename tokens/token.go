// Package tokens creates and recognises access tokens, and stores them in Redis.
//
// A token is <prefix>_<52 characters><7 characters>: 260 random bits, then the CRC-32 of everything before
// it, both in base32 with the alphabet A-Z2-7. The checksum is not a protection. It lets secret scanners
// recognise a leaked token, and lets the server refuse malformed text without asking Redis.
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
	randomLength   = 52 // characters, 5 bits each
	checksumLength = 7
	tailLength     = randomLength + checksumLength
	// maxPrefix is the longest prefix that Recognise accepts, in bytes. It limits the work for text from an
	// unauthenticated caller.
	maxPrefix = 32
)

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Mint returns a new token with the prefix, from the system's random generator. It also makes client
// secrets, with SecretPrefix.
func Mint(prefix string) string {
	var random [33]byte // 264 bits, of which the first 260 are used
	rand.Read(random[:])
	token := make([]byte, 0, len(prefix)+1+tailLength)
	token = append(token, prefix...)
	token = append(token, '_')
	token = encoding.AppendEncode(token, random[:])[:len(prefix)+1+randomLength]
	return string(appendChecksum(token))
}

// SecretPrefix returns the prefix of generated client secrets for the prefix of tokens.
func SecretPrefix(tokenPrefix string) string { return tokenPrefix + "s" }

// ValidPrefix reports whether prefix can be the prefix of tokens: 1 to 31 ASCII letters, digits and
// hyphens. The prefix of secrets is one character longer.
func ValidPrefix(prefix string) bool {
	return len(prefix) < maxPrefix && validPrefix(prefix)
}

// Recognise reports whether text has the form of a token or secret, with any prefix. So tokens stay valid
// when the server's prefix is changed.
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

// ID returns the lower-case hex SHA-256 of the whole token. It names the token in Redis, in introspection
// (jti) and in the log. It cannot be used in place of the token.
func ID(token string) string {
	var text [128]byte // stays on the stack if the token fits
	var id [2 * sha256.Size]byte
	sum := sha256.Sum256(append(text[:0], token...))
	hex.Encode(id[:], sum[:])
	return string(id[:])
}
