package throttle

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

// subject is whose failures are counted together: a network's, or a client id's at a network.
type subject struct {
	network netip.Prefix
	client  [sha256.Size]byte // of the client id; all zero for the network as a whole
}

// of returns the subject of a client id at a network. Strangers send ids of any length, so only a
// digest is kept.
func of(where netip.Prefix, clientID string) subject {
	return subject{where, sha256.Sum256([]byte(clientID))}
}

// network returns the addresses that are counted as one: an IPv4 address by itself, and the /64
// around an IPv6 address, since who has one has them all. The zero value is for text that is no
// address.
func network(address string) netip.Prefix {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // there are that many
	return prefix
}

// key returns the subject's key in Redis. The braces put all keys of a network into one slot of a
// Cluster.
func (s subject) key() string {
	where := "unknown"
	switch {
	case s.network.IsSingleIP():
		where = s.network.Addr().String()
	case s.network.IsValid():
		where = s.network.String()
	}
	key := "oauth:throttle:{" + where + "}"
	if s.client != [sha256.Size]byte{} {
		key += ":" + hex.EncodeToString(s.client[:])
	}
	return key
}
