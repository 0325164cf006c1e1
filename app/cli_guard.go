package app

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"chit/guard"
	"chit/sidecar"
)

type guardCommand struct {
	Issuer           string   `env:"CHIT_GUARD_ISSUER" placeholder:"URL" help:"Issuer URL of the authorization server."`
	Addresses        []string `name:"address" env:"CHIT_GUARD_ADDRESS" placeholder:"URL" help:"URL of a node of the authorization server, without a path; several may be given, separated by commas. The next one is used if one does not answer (default: the issuer)."`
	ClientID         string   `name:"client-id" env:"CHIT_GUARD_CLIENT_ID" placeholder:"ID" help:"Client id of this resource server. Its secret is read from the variable CHIT_GUARD_CLIENT_SECRET, or from a file."`
	ClientSecretFile string   `name:"client-secret-file" env:"CHIT_GUARD_CLIENT_SECRET_FILE" placeholder:"PATH" help:"File that holds the client secret."`
	Listen           string   `env:"CHIT_GUARD_LISTEN" default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Listener for /verify and the proxy (default ${default})."`
	OpsListen        string   `env:"CHIT_GUARD_OPS_LISTEN" default:"127.0.0.1:8091" placeholder:"ADDRESS" help:"Listener for health and metrics, never public (default ${default})."`
	Upstream         string   `env:"CHIT_GUARD_UPSTREAM" placeholder:"URL" help:"Service that requests are passed on to. Unset: only /verify is served."`
	RequireScope     string   `env:"CHIT_GUARD_REQUIRE_SCOPE" placeholder:"SCOPES" help:"Scopes that every request needs, separated by spaces."`
	TLSCA            string   `name:"tls-ca" env:"CHIT_GUARD_TLS_CA" placeholder:"PATH" help:"Certificate authorities of the authorization server, in PEM (default: those of the system)."`
	MaxTokens        int      `env:"CHIT_GUARD_MAX_TOKENS" default:"100000" placeholder:"N" help:"Maximum number of active tokens in memory (default ${default})."`
	Realm            string   `env:"CHIT_GUARD_REALM" default:"chit" placeholder:"TEXT" help:"Realm of WWW-Authenticate (default ${default})."`
	LogFormat        string   `env:"CHIT_GUARD_LOG_FORMAT" default:"json" placeholder:"json|text" help:"Format of the log on standard error (default ${default})."`
	LogLevel         string   `env:"CHIT_GUARD_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`
}

func (*guardCommand) Help() string {
	return "For services in any language: run it beside the service. /verify answers for the forward authentication of a proxy, such as auth_request of nginx. With --upstream it is a proxy itself. The service gets the headers X-Chit-Client-Id, X-Chit-Scope and X-Chit-Jti.\n\nExample:\n\n  CHIT_GUARD_CLIENT_SECRET_FILE=/run/secrets/client-secret chit guard --issuer https://auth.example.com --client-id invoices-api --upstream http://127.0.0.1:3000"
}

// Run checks tokens until a signal arrives.
func (cmd *guardCommand) Run(c *console) error {
	options, err := cmd.options()
	if err != nil {
		return usageError{err}
	}
	setGarbageCollection()
	signal.Ignore(syscall.SIGPIPE)
	log, buffer := newLogger(c.err, cmd.LogFormat, cmd.LogLevel)
	defer buffer.close()
	options.Log = log
	s, err := sidecar.New(options)
	if err != nil {
		return usageError{err}
	}
	defer s.Close()
	return cmd.serve(c, s, log)
}

// options returns the settings of the sidecar, or every fault.
func (cmd *guardCommand) options() (sidecar.Options, error) {
	secret := os.Getenv("CHIT_GUARD_CLIENT_SECRET")
	faults := []error{fromFile("CHIT_GUARD_CLIENT_SECRET", &secret, cmd.ClientSecretFile)}
	client, err := cmd.client()
	faults = append(faults, err)
	var upstream *url.URL
	if cmd.Upstream != "" {
		upstream, err = url.Parse(cmd.Upstream)
		if err != nil || !isIssuer(cmd.Upstream) {
			faults = append(faults, fault("CHIT_GUARD_UPSTREAM", "%q is not an http(s) URL without query: write http://127.0.0.1:3000", cmd.Upstream))
		}
	}
	for _, rule := range []struct {
		bad              bool
		setting, message string
	}{
		{!isIssuer(cmd.Issuer), "CHIT_GUARD_ISSUER", fmt.Sprintf("%q is not an http(s) URL without query and fragment: write https://auth.example.com", cmd.Issuer)},
		{!allNodes(cmd.Addresses), "CHIT_GUARD_ADDRESS", fmt.Sprintf("%q has an entry that is not an http(s) URL without a path: write http://10.0.0.7:8080", cmd.Addresses)},
		{cmd.ClientID == "", "CHIT_GUARD_CLIENT_ID", "is not set: give the client id of this resource server"},
		{secret == "" && cmd.ClientSecretFile == "", "CHIT_GUARD_CLIENT_SECRET", "is not set: give the client secret, or CHIT_GUARD_CLIENT_SECRET_FILE"},
		{!isAddress(cmd.Listen), "CHIT_GUARD_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8090", cmd.Listen)},
		{!isAddress(cmd.OpsListen), "CHIT_GUARD_OPS_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8091", cmd.OpsListen)},
		{!sidecar.ValidScopes(cmd.RequireScope), "CHIT_GUARD_REQUIRE_SCOPE", fmt.Sprintf("%q has a character that no scope has", cmd.RequireScope)},
		{cmd.MaxTokens < 1, "CHIT_GUARD_MAX_TOKENS", fmt.Sprintf("%d is too small: write 1 or more", cmd.MaxTokens)},
		{!slices.Contains([]string{"json", "text"}, cmd.LogFormat), "CHIT_GUARD_LOG_FORMAT", fmt.Sprintf("%q is neither json nor text", cmd.LogFormat)},
		{!slices.Contains([]string{"debug", "info", "warn", "error"}, cmd.LogLevel), "CHIT_GUARD_LOG_LEVEL", fmt.Sprintf("%q is none of debug, info, warn, error", cmd.LogLevel)},
	} {
		if rule.bad {
			faults = append(faults, fault(rule.setting, "%s", rule.message))
		}
	}
	return sidecar.Options{
		Guard: guard.Config{
			Issuer: cmd.Issuer, Addresses: cmd.Addresses, ClientID: cmd.ClientID, ClientSecret: secret,
			Client: client, MaxTokens: cmd.MaxTokens, Realm: cmd.Realm,
		},
		Scopes:   cmd.RequireScope,
		Upstream: upstream,
	}, errors.Join(faults...)
}
