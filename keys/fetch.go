package keys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// fetchTimeout limits an attempt to get a key document, together with the discovery document that names it.
const fetchTimeout = 5 * time.Second

const discoveryPath = "/.well-known/openid-configuration"

// Fetcher gets key documents by HTTP. It follows no redirects and uses no proxy.
type Fetcher struct{ client *http.Client }

// NewFetcher returns a Fetcher that trusts these authorities; nil: those of the system. Unless private is true,
// it does not connect to private addresses.
func NewFetcher(authorities *x509.CertPool, private bool) *Fetcher {
	dialer := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: fetchTimeout}
		if !private {
			d.Control = refusePrivate(isLoopbackHost(host))
		}
		return d.DialContext(ctx, network, address)
	}
	return &Fetcher{client: &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxConnsPerHost:        4,
			IdleConnTimeout:        time.Minute,
		},
	}}
}

// Fetch gets the key document of a source.
func (f *Fetcher) Fetch(ctx context.Context, source Source) (Set, error) {
	location := source.URL
	if location == "" {
		found, err := f.discover(ctx, source.Issuer)
		if err != nil {
			return Set{}, fmt.Errorf("discovery: %w", err)
		}
		location = found
	}
	document, err := f.get(ctx, location)
	if err != nil {
		return Set{}, err
	}
	return Parse(string(document))
}

// discover returns the jwks_uri in an issuer's discovery document (OpenID Connect Discovery 1.0 §4).
func (f *Fetcher) discover(ctx context.Context, issuer string) (string, error) {
	document, err := f.get(ctx, strings.TrimSuffix(issuer, "/")+discoveryPath)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &metadata); err != nil {
		return "", fmt.Errorf("the document is malformed: %w", err)
	}
	if metadata.Issuer != issuer {
		return "", fmt.Errorf("the document is that of the issuer %q", metadata.Issuer)
	}
	return metadata.JWKSURI, nil
}

func (f *Fetcher) get(ctx context.Context, location string) ([]byte, error) {
	if err := CheckURL(location); err != nil {
		return nil, fmt.Errorf("%q %w", location, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	answer, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer of %s is %d: only 200 counts, and redirects are not followed", location, answer.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(answer.Body, MaxDocument+1))
	if err == nil && len(document) > MaxDocument {
		err = fmt.Errorf("the answer of %s is larger than %d bytes", location, MaxDocument)
	}
	return document, err
}

// CheckURL returns an error unless the text is the URL of a document that may be fetched: with https, or with
// http on this machine. The error is the end of a sentence.
func CheckURL(text string) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "":
		return errors.New("is not a URL: write https://auth.example.com/keys")
	case parsed.User != nil:
		return errors.New("has a user name or a password, which would be shown to operators")
	case strings.Contains(text, "#"):
		return errors.New("has a fragment")
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && isLoopbackHost(parsed.Hostname())):
		return errors.New("does not begin with https://: http is for this machine only, as localhost or 127.0.0.1")
	}
	return nil
}

// isLoopbackHost reports whether a host in a URL is this machine by its name alone.
func isLoopbackHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// reserved are networks that are not on the internet, beside those that netip knows. Some of them embed an
// IPv4 address.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// refusePrivate returns a check of the address of a connection, after its name was resolved.
func refusePrivate(loopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		peer, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := peer.Addr().Unmap().WithZone("")
		in := func(network netip.Prefix) bool { return network.Contains(ip) }
		if loopback && ip.IsLoopback() {
			return nil
		}
		if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(reserved, in) {
			return fmt.Errorf("%s is a private address: CHIT_JWKS_PRIVATE=on allows it", ip)
		}
		return nil
	}
}
