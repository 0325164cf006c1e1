package handlers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
)

// Failures counts failed authentications. Wait returns for how long no attempt of a client id from
// an address is to be looked at, Count counts one that has failed and returns how long to wait if it
// was one too many; 0 means not at all. Neither may fail, and Wait may ask nobody for an attempt
// that need not wait.
type Failures interface {
	Wait(ctx context.Context, address, clientID string) time.Duration
	Count(ctx context.Context, address, clientID string) time.Duration
}

// throttled is the answer to an attempt that is not looked at, or was one too many.
func throttled(wait time.Duration, x *exchange) *problem {
	p := &problem{status: http.StatusTooManyRequests, code: "temporarily_unavailable",
		description: "too many failed authentications: wait before trying again, and see that id and secret are right",
		retryAfter:  int((wait + time.Second - 1) / time.Second),
	}
	hint := ""
	if peer, _, _ := net.SplitHostPort(x.Request().RemoteAddr); peer == x.RealIP() && x.Request().Header.Get(echo.HeaderXForwardedFor) != "" {
		hint = "; it sends X-Forwarded-For: if it is a proxy of yours, name it in CHIT_TRUSTED_PROXIES"
	}
	return p.because(fmt.Errorf("too many failed authentications from %s%s", x.RealIP(), hint))
}

// RealIP returns the address of the client, worked out once.
func (x *exchange) RealIP() string {
	if x.address == "" {
		x.address = x.Context.RealIP()
	}
	return x.address
}

// addresses returns what tells the address of a client: the peer's, or the last one in
// X-Forwarded-For that is not a proxy's if the peer is one of the proxies. Of what others say in
// that header nothing is believed. A header that is malformed there leaves the peer's.
func addresses(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, proxy := range proxies {
		proxy = proxy.Masked()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP:   proxy.Addr().AsSlice(),
			Mask: net.CIDRMask(proxy.Bits(), proxy.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}
