package models

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
)

// hashLength is the length of a secret hash in bytes: base64 of 32 bytes.
const hashLength = 44

type secretHash [hashLength]byte

// HashSecret returns the value of client_secret_hash for a secret: the standard base64 of the SHA-256 of
// its UTF-8 bytes, 44 characters.
func HashSecret(secret string) string {
	hash := hashSecret(secret)
	return string(hash[:])
}

func hashSecret(secret string) (hash secretHash) {
	sum := sha256.Sum256([]byte(secret))
	base64.StdEncoding.Encode(hash[:], sum[:])
	return hash
}

// matches reports whether stored is equal to this hash. The comparison takes the same time for every value,
// whatever its length. An empty value never matches.
func (h *secretHash) matches(stored string) bool {
	var padded secretHash
	copy(padded[:], stored)
	same := subtle.ConstantTimeCompare(padded[:], h[:])
	sameLength := subtle.ConstantTimeEq(int32(len(stored)), hashLength)
	return same&sameLength == 1
}

// RetiredSecret is a former secret of a client. It works until it expires, so that a secret can be rotated
// without downtime.
type RetiredSecret struct {
	ClientID   string     `gorm:"primaryKey"`
	SecretHash string     `gorm:"primaryKey"`
	ExpiresAt  time.Time  `gorm:"not null"`
	LastUsedAt *time.Time // nil: not used since it was retired
}

// TableName returns the name of the table in SQL.
func (RetiredSecret) TableName() string { return "oauth_client_retired_secret" }
