package app

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"chit/throttle"
)

// Throttling has the limits on failed authentications, and the proxies that may set a client's address.
type Throttling struct {
	ThrottleClient  perMinute `env:"CHIT_THROTTLE_CLIENT" default:"1000" placeholder:"N" help:"Limit on failed authentications a minute for one client id from one address; 0: no limit (default ${default})."`
	ThrottleAddress perMinute `env:"CHIT_THROTTLE_ADDRESS" default:"60000" placeholder:"N" help:"Limit on failed authentications a minute from one address, or one /64 of IPv6; 0: no limit (default ${default})."`
	TrustedProxies  networks  `env:"CHIT_TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Addresses of your proxies. X-Forwarded-For is read from these only. Set it if there is a proxy (default none)."`
}

// check returns every fault.
func (t *Throttling) check() error {
	return errors.Join(
		t.ThrottleClient.check("CHIT_THROTTLE_CLIENT"),
		t.ThrottleAddress.check("CHIT_THROTTLE_ADDRESS"),
		t.TrustedProxies.check("CHIT_TRUSTED_PROXIES"),
	)
}

func (s *Server) failures() *throttle.Failures {
	return &throttle.Failures{
		Redis:      s.redis,
		PerClient:  s.config.ThrottleClient.number,
		PerAddress: s.config.ThrottleAddress.number,
		Now:        time.Now,
		Timeout:    s.config.RequestTimeout.Duration / 2,
	}
}

// perMinute is a setting that is a number, 0 or more. It keeps malformed text for check.
type perMinute struct {
	number    int
	malformed string
}

// UnmarshalText never fails. check reports malformed text.
func (n *perMinute) UnmarshalText(text []byte) error {
	*n = perMinute{}
	number, err := strconv.Atoi(string(text))
	if err != nil || number < 0 {
		n.malformed = fmt.Sprintf("%q is not a number: write 100, or 0 for no limit", text)
		return nil
	}
	n.number = number
	return nil
}

func (n perMinute) check(setting string) error {
	if n.malformed != "" {
		return Fault(setting, "%s", n.malformed)
	}
	return nil
}

// networks is a setting with addresses and CIDR ranges, separated by commas. It keeps malformed text for
// check.
type networks struct {
	prefixes  []netip.Prefix
	malformed string
}

// UnmarshalText never fails. check reports malformed text.
func (n *networks) UnmarshalText(text []byte) error {
	*n = networks{}
	for field := range strings.SplitSeq(string(text), ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		prefix, err := parseNetwork(field)
		switch {
		case err != nil:
			n.malformed = fmt.Sprintf("%q is not an address or a range: write 10.1.2.3 or 10.1.0.0/16", field)
			return nil
		case prefix.Bits() == 0:
			n.malformed = fmt.Sprintf("%q is everyone, who could then claim any address: name the proxies", field)
			return nil
		}
		n.prefixes = append(n.prefixes, prefix)
	}
	return nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap()
	return addr.Prefix(addr.BitLen())
}

func (n networks) check(setting string) error {
	if n.malformed != "" {
		return Fault(setting, "%s", n.malformed)
	}
	return nil
}
