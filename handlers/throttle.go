package handlers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Failures counts failed authentications. Wait returns how long a client id at an address must wait before
// its attempt is processed. Count counts a failed attempt, and returns how long to wait if the limit is
// exceeded. 0 means that there is no need to wait. Neither method may fail. Wait should not ask Redis for
// an attempt that need not wait.
type Failures interface {
	Wait(ctx context.Context, address, clientID string) time.Duration
	Count(ctx context.Context, address, clientID string) time.Duration
}

// throttled is the answer to an attempt that is blocked or exceeds the limit.
func throttled(wait time.Duration, x *exchange) *problem {
	p := &problem{status: http.StatusTooManyRequests, code: "temporarily_unavailable",
		description: "too many failed authentications: wait before trying again, and check the client id and the secret",
		retryAfter:  int((wait + time.Second - 1) / time.Second),
	}
	hint := ""
	if peer, _, _ := net.SplitHostPort(x.Request().RemoteAddr); peer == x.RealIP() && x.Request().Header.Get(echo.HeaderXForwardedFor) != "" {
		hint = "; it sends X-Forwarded-For: if it is a proxy of yours, name it in CHIT_TRUSTED_PROXIES"
	}
	return p.because(fmt.Errorf("too many failed authentications from %s%s", x.RealIP(), hint))
}

// RealIP returns the address of the client. It is determined once for each request.
func (x *exchange) RealIP() string {
	if x.address == "" {
		x.address = x.Context.RealIP()
	}
	return x.address
}

// addresses returns a function that determines the address of a client. That is the address of the peer. If
// the peer is a proxy, it is the last address in X-Forwarded-For that is not a proxy. The header is ignored
// if it comes from anyone else, or if it is malformed.
func addresses(proxies []netip.Prefix) echo.IPExtractor {
	direct := echo.ExtractIPDirect()
	if len(proxies) == 0 {
		return direct
	}
	return func(r *http.Request) string {
		peer := direct(r)
		client, fit := parseHop(peer)
		hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		for i := len(hops) - 1; i >= 0 && fit && isProxy(proxies, client); i-- {
			client, fit = parseHop(hops[i])
		}
		if !fit {
			return peer
		}
		return client.String()
	}
}

func isProxy(proxies []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(proxy netip.Prefix) bool { return proxy.Contains(address) })
}

// parseHop parses an address as proxies write it: with or without a port, such as 203.0.113.9:4711 and
// [2001:db8::1]:443.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap(), withPort.Addr().Zone() == ""
	}
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		text = strings.TrimSuffix(inner, "]")
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil && address.Zone() == ""
}
