package guard

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// DefaultMaxTokens is the default of Config.MaxTokens.
const DefaultMaxTokens = 100_000

// MinNonceKey is the length of the shortest Config.NonceKey, in bytes.
const MinNonceKey = 32

// Config are the settings of a Guard. Issuer, ClientID and ClientSecret are required.
type Config struct {
	// Issuer is the issuer URL of the authorization server (RFC 8414 §2). The guard finds the endpoints in
	// its metadata.
	Issuer string
	// ClientID and ClientSecret are the credentials of this resource server. It must be registered as one.
	ClientID     string
	ClientSecret string
	// Resource is the identifier of this resource server (RFC 8707), an absolute URI. Tokens for other resource servers
	// are refused. Empty: the audience of tokens is not checked here.
	Resource string
	// Origin is the scheme and the host by which clients reach this service, such as https://api.example.com. DPoP
	// proofs must be for it. Empty: they must be for the host that the request names. Then somebody whose service got
	// a proof could pass it on to this one.
	Origin string
	// Proxies are the addresses of the proxies in front. Their headers X-Forwarded-Proto, X-Forwarded-Host and
	// Client-Cert (RFC 9440) count. From anybody else they do not.
	Proxies []netip.Prefix
	// NonceKey is a secret of at least 32 characters. If it is set, DPoP proofs must have a nonce that a guard with the
	// same key has sent within the last few minutes (RFC 9449 §9). Empty: they need none.
	NonceKey string
	// Addresses are the URLs of the server's nodes, such as http://10.0.0.7:8080, without a path. If one
	// does not answer, the guard uses the next one. Empty: the guard connects to the Issuer.
	Addresses []string
	// Client sends the requests. Use it for proxies and for TLS roots of your own. Its Timeout applies to
	// introspections. Redirects are not followed. nil: a client with the defaults of net/http.
	Client *http.Client
	// MaxTokens is the maximum number of active tokens in memory. Up to a quarter of that number of inactive
	// tokens come on top. 0: DefaultMaxTokens. Each token takes about 370 bytes.
	MaxTokens int
	// Realm is the realm of WWW-Authenticate (RFC 6750 §3). Empty: "chit".
	Realm string
	// OnRefusal is called for each request that Require refuses, before the answer is written. nil: nothing is
	// called.
	OnRefusal func(*http.Request, Refusal)
	// Log gets a line when the guard loses the stream of invalidations, and when it has it again. It never
	// gets a token. nil: slog.Default().
	Log *slog.Logger
}

// complete returns the settings with their defaults, or an error for each fault.
func (c Config) complete() (Config, error) {
	var faults []error
	for _, rule := range []struct {
		bad     bool
		message string
	}{
		{!isHTTP(c.Issuer), fmt.Sprintf("Issuer %q is not an http(s) URL without query and fragment", c.Issuer)},
		{c.ClientID == "", "ClientID is empty"},
		{c.ClientSecret == "", "ClientSecret is empty"},
		{c.Resource != "" && !isAbsolute(c.Resource), fmt.Sprintf("Resource %q is not an absolute URI without a fragment", c.Resource)},
		{c.Origin != "" && !isOrigin(c.Origin), fmt.Sprintf("Origin %q is not an http(s) URL without a path", c.Origin)},
		{c.NonceKey != "" && len(c.NonceKey) < MinNonceKey, fmt.Sprintf("NonceKey has %d characters, and must have %d at least", len(c.NonceKey), MinNonceKey)},
		{c.MaxTokens < 0, fmt.Sprintf("MaxTokens is %d, which is less than 0", c.MaxTokens)},
		{strings.ContainsAny(c.Realm, "\"\\") || strings.ContainsFunc(c.Realm, isControl), fmt.Sprintf("Realm %q has a quote, a backslash or a control character", c.Realm)},
	} {
		if rule.bad {
			faults = append(faults, errors.New("guard: "+rule.message))
		}
	}
	for _, address := range c.Addresses {
		if !isOrigin(address) {
			faults = append(faults, fmt.Errorf("guard: address %q is not an http(s) URL without a path", address))
		}
	}
	c.MaxTokens = cmp.Or(c.MaxTokens, DefaultMaxTokens)
	c.Realm = cmp.Or(c.Realm, "chit")
	c.Log = cmp.Or(c.Log, slog.Default())
	if len(c.Addresses) == 0 {
		if parsed, err := url.Parse(c.Issuer); err == nil {
			c.Addresses = []string{parsed.Scheme + "://" + parsed.Host}
		}
	}
	return c, errors.Join(faults...)
}

func isHTTP(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" &&
		parsed.User == nil && !strings.ContainsAny(text, "?#")
}

// isOrigin reports whether text is an http(s) URL without a path.
func isOrigin(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && isHTTP(text) && strings.Trim(parsed.Path, "/") == ""
}

func isAbsolute(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Scheme != "" && !strings.ContainsAny(text, "# ")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// maxConnections is the maximum number of connections to one address.
const maxConnections = 64

// clients returns the clients for introspections and for the stream.
func (c Config) clients() (asking, streaming *http.Client) {
	base := http.Client{}
	if c.Client != nil {
		base = *c.Client
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.MaxConnsPerHost = 0, maxConnections, maxConnections
		base.Transport = transport
	}
	// A redirect would send the secret to an address that nobody has configured.
	base.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stream := base
	stream.Timeout = 0
	return &base, &stream
}

// clock returns the time in two ways, in nanoseconds. The first is monotonic, but stops while the machine is
// suspended. The second is that of the calendar, and may jump.
type clock func() (elapsed, calendar int64)

func newClock() clock {
	began := time.Now()
	return func() (int64, int64) {
		now := time.Now()
		return int64(now.Sub(began)), now.UnixNano()
	}
}
