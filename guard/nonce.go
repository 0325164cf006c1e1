package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// NoncePeriod is how long a nonce is sent. It is accepted for one more period before and after, because clocks differ.
const NoncePeriod = 2 * time.Minute

// nonces are those that proofs must have (RFC 9449 §9). Guards with the same key send and accept the same ones.
type nonces struct{ key []byte }

// current returns the nonce to send.
func (n nonces) current(now time.Time) string { return n.of(now.UnixNano() / int64(NoncePeriod)) }

// accepts reports whether a nonce was sent lately.
func (n nonces) accepts(nonce string, now time.Time) bool {
	period := now.UnixNano() / int64(NoncePeriod)
	for _, at := range [...]int64{period, period - 1, period + 1} {
		if hmac.Equal([]byte(nonce), []byte(n.of(at))) {
			return true
		}
	}
	return false
}

func (n nonces) of(period int64) string {
	mac := hmac.New(sha256.New, n.key)
	mac.Write(binary.BigEndian.AppendUint64([]byte("DPoP-Nonce"), uint64(period)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
