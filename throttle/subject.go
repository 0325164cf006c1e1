package throttle

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

// subject is what failures are counted for: a network, or a client id at a network.
type subject struct {
	network netip.Prefix
	client  [sha256.Size]byte // of the client id; zero for the network as a whole
}

// of returns the subject of a client id at a network. It stores a digest of the id, because the id in a
// request may have any length.
func of(where netip.Prefix, clientID string) subject {
	return subject{where, sha256.Sum256([]byte(clientID))}
}

// network returns the addresses that count as one: a single IPv4 address, or the /64 of an IPv6 address,
// which usually belongs to one user. It returns the zero value if the text is not an address.
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
	prefix, _ := addr.Prefix(bits) // the number of bits is always valid
	return prefix
}

// key returns the subject's key in Redis. The braces put all keys of a network into one slot of a Cluster.
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
