package models

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
)

// hashLength is the length in bytes of every secret hash: base64 of 32 bytes.
const hashLength = 44

type secretHash [hashLength]byte

// HashSecret returns what client_secret_hash holds for secret: the standard base64 of the SHA-256
// of its UTF-8 bytes, 44 characters.
func HashSecret(secret string) string {
	hash := hashSecret(secret)
	return string(hash[:])
}

func hashSecret(secret string) (hash secretHash) {
	sum := sha256.Sum256([]byte(secret))
	base64.StdEncoding.Encode(hash[:], sum[:])
	return hash
}

// matches reports whether stored is this hash, in a time that depends on neither. A stored value of
// another length, the empty one above all, never matches, and costs the same as one that could.
func (h *secretHash) matches(stored string) bool {
	var padded secretHash
	copy(padded[:], stored)
	same := subtle.ConstantTimeCompare(padded[:], h[:])
	sameLength := subtle.ConstantTimeEq(int32(len(stored)), hashLength)
	return same&sameLength == 1
}

// RetiredSecret is a former secret of a client that goes on working until it expires, so that a
// rotation needs no downtime.
type RetiredSecret struct {
	ClientID   string     `gorm:"primaryKey"`
	SecretHash string     `gorm:"primaryKey"`
	ExpiresAt  time.Time  `gorm:"not null"`
	LastUsedAt *time.Time // nil: not since it was retired
}

// TableName is the table's name in SQL.
func (RetiredSecret) TableName() string { return "oauth_client_retired_secret" }
