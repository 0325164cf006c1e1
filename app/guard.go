package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"

	"chit/guard"
	"chit/models"
	"chit/sidecar"
)

// GuardConfig has all settings of chit guard.
type GuardConfig struct {
	Issuer           string   `env:"CHIT_GUARD_ISSUER" placeholder:"URL" help:"Issuer URL of the authorization server."`
	Addresses        []string `name:"address" env:"CHIT_GUARD_ADDRESS" placeholder:"URL" help:"URL of a node of the authorization server, without a path; several may be given, separated by commas. The next one is used if one does not answer (default: the issuer)."`
	ClientID         string   `name:"client-id" env:"CHIT_GUARD_CLIENT_ID" placeholder:"ID" help:"Client id of this resource server. Its secret is read from the variable CHIT_GUARD_CLIENT_SECRET, or from a file."`
	ClientSecretFile string   `name:"client-secret-file" env:"CHIT_GUARD_CLIENT_SECRET_FILE" placeholder:"PATH" help:"File that holds the client secret."`
	Listen           string   `env:"CHIT_GUARD_LISTEN" default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Listener for /verify and the proxy (default ${default})."`
	OpsListen        string   `env:"CHIT_GUARD_OPS_LISTEN" default:"127.0.0.1:8091" placeholder:"ADDRESS" help:"Listener for health and metrics, never public (default ${default})."`
	Upstream         string   `env:"CHIT_GUARD_UPSTREAM" placeholder:"URL" help:"Service that requests are passed on to. Unset: only /verify is served."`
	RequireScope     string   `env:"CHIT_GUARD_REQUIRE_SCOPE" placeholder:"SCOPES" help:"Scopes that every request needs, separated by spaces."`
	Resource         string   `env:"CHIT_GUARD_RESOURCE" placeholder:"URI" help:"Identifier of this resource server. Tokens for other ones are refused (default: the audience is not checked here)."`
	Origin           string   `env:"CHIT_GUARD_ORIGIN" placeholder:"URL" help:"Scheme and host by which clients reach the service. DPoP proofs must be for it (default: those that the request names)."`
	TrustedProxies   networks `env:"CHIT_GUARD_TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Addresses of the proxies in front. X-Forwarded-…, X-Original-… and Client-Cert are read from these only (default none)."`
	DPoPNonceKeyFile string   `name:"dpop-nonce-key-file" env:"CHIT_GUARD_DPOP_NONCE_KEY_FILE" placeholder:"PATH" help:"File that holds a secret of 32 characters or more, the same for all guards of a service. With it, or with the variable CHIT_GUARD_DPOP_NONCE_KEY, DPoP proofs must have a nonce."`
	TLSCA            string   `name:"tls-ca" env:"CHIT_GUARD_TLS_CA" placeholder:"PATH" help:"Certificate authorities of the authorization server, in PEM (default: those of the system)."`
	MaxTokens        int      `env:"CHIT_GUARD_MAX_TOKENS" default:"100000" placeholder:"N" help:"Maximum number of active tokens in memory (default ${default})."`
	Realm            string   `env:"CHIT_GUARD_REALM" default:"chit" placeholder:"TEXT" help:"Realm of WWW-Authenticate (default ${default})."`
	LogFormat        string   `env:"CHIT_GUARD_LOG_FORMAT" default:"json" placeholder:"json|text" help:"Format of the log on standard error (default ${default})."`
	LogLevel         string   `env:"CHIT_GUARD_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`
}

// Guard is a chit guard that is ready to serve.
type Guard struct {
	config  GuardConfig
	sidecar *sidecar.Sidecar
	log     *slog.Logger
	buffer  *lineBuffer
}

// NewGuard returns a Guard that logs to out. Its errors are faults of the settings.
func NewGuard(config GuardConfig, out io.Writer) (*Guard, error) {
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	g := &Guard{config: config}
	g.log, g.buffer = newLogger(out, config.LogFormat, config.LogLevel)
	options.Log = g.log
	if g.sidecar, err = sidecar.New(options); err != nil {
		g.buffer.close()
		return nil, err
	}
	return g, nil
}

// options returns the settings of the sidecar, or every fault.
func (c *GuardConfig) options() (sidecar.Options, error) {
	secret := os.Getenv("CHIT_GUARD_CLIENT_SECRET")
	nonceKey := os.Getenv("CHIT_GUARD_DPOP_NONCE_KEY")
	faults := []error{
		fromFile("CHIT_GUARD_CLIENT_SECRET", &secret, c.ClientSecretFile),
		fromFile("CHIT_GUARD_DPOP_NONCE_KEY", &nonceKey, c.DPoPNonceKeyFile),
		c.TrustedProxies.check("CHIT_GUARD_TRUSTED_PROXIES"),
	}
	client, err := c.client()
	faults = append(faults, err)
	var upstream *url.URL
	if c.Upstream != "" {
		upstream, err = url.Parse(c.Upstream)
		if err != nil || !isIssuer(c.Upstream) {
			faults = append(faults, Fault("CHIT_GUARD_UPSTREAM", "%q is not an http(s) URL without query: write http://127.0.0.1:3000", c.Upstream))
		}
	}
	for _, rule := range []struct {
		bad              bool
		setting, message string
	}{
		{!isIssuer(c.Issuer), "CHIT_GUARD_ISSUER", fmt.Sprintf("%q is not an http(s) URL without query and fragment: write https://auth.example.com", c.Issuer)},
		{!allNodes(c.Addresses), "CHIT_GUARD_ADDRESS", fmt.Sprintf("%q has an entry that is not an http(s) URL without a path: write http://10.0.0.7:8080", c.Addresses)},
		{c.ClientID == "", "CHIT_GUARD_CLIENT_ID", "is not set: give the client id of this resource server"},
		{secret == "" && c.ClientSecretFile == "", "CHIT_GUARD_CLIENT_SECRET", "is not set: give the client secret, or CHIT_GUARD_CLIENT_SECRET_FILE"},
		{c.Resource != "" && !models.IsResource(c.Resource), "CHIT_GUARD_RESOURCE", fmt.Sprintf("%q is not an absolute URI without a fragment: write https://api.example.com", c.Resource)},
		{c.Origin != "" && !allNodes([]string{c.Origin}), "CHIT_GUARD_ORIGIN", fmt.Sprintf("%q is not an http(s) URL without a path: write https://api.example.com", c.Origin)},
		{nonceKey != "" && len(nonceKey) < guard.MinNonceKey, "CHIT_GUARD_DPOP_NONCE_KEY", fmt.Sprintf("has %d characters: it must have %d at least", len(nonceKey), guard.MinNonceKey)},
		{!IsAddress(c.Listen), "CHIT_GUARD_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8090", c.Listen)},
		{!IsAddress(c.OpsListen), "CHIT_GUARD_OPS_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8091", c.OpsListen)},
		{!sidecar.ValidScopes(c.RequireScope), "CHIT_GUARD_REQUIRE_SCOPE", fmt.Sprintf("%q has a character that no scope has", c.RequireScope)},
		{c.MaxTokens < 1, "CHIT_GUARD_MAX_TOKENS", fmt.Sprintf("%d is too small: write 1 or more", c.MaxTokens)},
		{!slices.Contains([]string{"json", "text"}, c.LogFormat), "CHIT_GUARD_LOG_FORMAT", fmt.Sprintf("%q is neither json nor text", c.LogFormat)},
		{!slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "CHIT_GUARD_LOG_LEVEL", fmt.Sprintf("%q is none of debug, info, warn, error", c.LogLevel)},
	} {
		if rule.bad {
			faults = append(faults, Fault(rule.setting, "%s", rule.message))
		}
	}
	return sidecar.Options{
		Guard: guard.Config{
			Issuer: c.Issuer, Addresses: c.Addresses, ClientID: c.ClientID, ClientSecret: secret,
			Client: client, MaxTokens: c.MaxTokens, Realm: c.Realm,
			Resource: c.Resource, Origin: c.Origin, Proxies: c.TrustedProxies.prefixes, NonceKey: nonceKey,
		},
		Scopes:   c.RequireScope,
		Upstream: upstream,
	}, errors.Join(faults...)
}
