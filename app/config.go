// Package app puts the server together. It has the settings, the wiring, the start and the stop, and the
// embedded mode.
package app

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"chit/repository"
	"chit/tokens"
	"chit/traces"
)

// Stores are the settings of the database and of Redis. If neither URL is set, both are embedded.
type Stores struct {
	DatabaseURL      string `name:"database-url" env:"CHIT_DATABASE_URL" placeholder:"URL" help:"PostgreSQL, postgres://user:password@host:5432/name; several hosts allowed. Unset: embedded SQLite."`
	DatabaseURLFile  string `name:"database-url-file" env:"CHIT_DATABASE_URL_FILE" placeholder:"PATH" help:"File that holds the database URL."`
	RedisURL         string `name:"redis-url" env:"CHIT_REDIS_URL" placeholder:"URL" help:"Redis, redis://user:password@host:6379/0; rediss:// for TLS; Sentinel and Cluster: see the README. Unset: embedded."`
	RedisURLFile     string `name:"redis-url-file" env:"CHIT_REDIS_URL_FILE" placeholder:"PATH" help:"File that holds the Redis URL."`
	EmbeddedDatabase string `name:"embedded-database" env:"CHIT_EMBEDDED_DATABASE" default:"chit.db" placeholder:"PATH" help:"SQLite file of the embedded mode (default ${default})."`
}

// Config has all settings of the server. The flags, the variables and the help are made from this struct.
type Config struct {
	Stores `embed:""`

	Listen            string   `env:"CHIT_LISTEN" placeholder:"ADDRESS" help:"Public listener (default 127.0.0.1:8080 embedded, else :8080)."`
	OpsListen         string   `env:"CHIT_OPS_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Listener for the console, the admin API, metrics and profiling, never public (default ${default})."`
	TLSCert           string   `name:"tls-cert" env:"CHIT_TLS_CERT" placeholder:"PATH" help:"Certificate of the public listener, with its chain, in PEM; read again when it changes. Unset: no TLS."`
	TLSKey            string   `name:"tls-key" env:"CHIT_TLS_KEY" placeholder:"PATH" help:"Private key of that certificate, in PEM."`
	OpsTLSCert        string   `name:"ops-tls-cert" env:"CHIT_OPS_TLS_CERT" placeholder:"PATH" help:"Certificate of the ops listener. Unset: no TLS."`
	OpsTLSKey         string   `name:"ops-tls-key" env:"CHIT_OPS_TLS_KEY" placeholder:"PATH" help:"Private key of that certificate."`
	Issuer            string   `env:"CHIT_ISSUER" default:"http://localhost:8080" placeholder:"URL" help:"Issuer URL: the iss of introspection, and the base of the URLs in the metadata (default ${default})."`
	TokenTTL          Duration `name:"token-ttl" env:"CHIT_TOKEN_TTL" default:"3600s" placeholder:"DURATION" help:"Lifetime of access tokens, unless the client has its own (default ${default})."`
	TokenPrefix       string   `env:"CHIT_TOKEN_PREFIX" default:"chit" placeholder:"TEXT" help:"Prefix of tokens, before the underscore (default ${default})."`
	RequestTimeout    Duration `env:"CHIT_REQUEST_TIMEOUT" default:"2s" placeholder:"DURATION" help:"Time limit for the answer to a request that has arrived. After it the answer is 503 (default ${default})."`
	MaxConcurrent     int      `env:"CHIT_MAX_CONCURRENT" default:"0" placeholder:"N" help:"Maximum number of requests in progress. Others wait for a moment, and are then answered with 503 (default: 128 for each CPU, by GOMAXPROCS)."`
	RedisBatching     string   `env:"CHIT_REDIS_BATCHING" default:"on" placeholder:"on|off" help:"Whether concurrent requests share round trips to Redis (default ${default})."`
	RedisWaitReplicas int      `env:"CHIT_REDIS_WAIT_REPLICAS" default:"0" placeholder:"N" help:"How many replicas of Redis must have a revocation before it is acknowledged (default ${default})."`
	RedisWaitOnIssue  string   `env:"CHIT_REDIS_WAIT_ON_ISSUE" default:"off" placeholder:"on|off" help:"Whether the replicas must also have a new token before it is issued (default ${default})."`
	ShutdownDelay     Duration `env:"CHIT_SHUTDOWN_DELAY" default:"2s" placeholder:"DURATION" help:"How long the server goes on serving after SIGTERM. It reports that it is not ready, so that load balancers notice (default ${default})."`
	ShutdownTimeout   Duration `env:"CHIT_SHUTDOWN_TIMEOUT" default:"10s" placeholder:"DURATION" help:"How long the server then waits for requests in progress (default ${default})."`
	ClientMaxStale    Duration `env:"CHIT_CLIENT_MAX_STALE" default:"10m" placeholder:"DURATION" help:"How long clients in memory go on working while the database is out of reach (default ${default})."`
	Migrate           string   `env:"CHIT_MIGRATE" default:"on" placeholder:"on|off" help:"Whether to apply pending schema steps at the start (default ${default})."`
	MetricsClients    int      `env:"CHIT_METRICS_CLIENTS" default:"0" placeholder:"N" help:"How many clients have counters of their own in the metrics: the first ones that are used (default ${default})."`
	LogFormat         string   `env:"CHIT_LOG_FORMAT" placeholder:"json|text" help:"Format of the log on standard error (default text if embedded, else json)."`
	LogLevel          string   `env:"CHIT_LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`

	Auditing      `embed:""`
	Throttling    `embed:""`
	StrongClients `embed:""`
	MutualTLS     `embed:""`
}

// Embedded reports whether the database and Redis are embedded in the process.
func (s *Stores) Embedded() bool { return !s.hasDatabase() && !s.hasRedis() }

// A file that cannot be read still counts as a URL that is set.
func (s *Stores) hasDatabase() bool { return s.DatabaseURL != "" || s.DatabaseURLFile != "" }
func (s *Stores) hasRedis() bool    { return s.RedisURL != "" || s.RedisURLFile != "" }

// checkHalves returns a fault if only one of the two URLs is set.
func (s *Stores) checkHalves() error {
	const half = "is not set, but %s is: set both, or neither for the embedded mode"
	switch {
	case s.hasRedis() && !s.hasDatabase():
		return Fault("CHIT_DATABASE_URL", half, "CHIT_REDIS_URL")
	case s.hasDatabase() && !s.hasRedis():
		return Fault("CHIT_REDIS_URL", half, "CHIT_DATABASE_URL")
	}
	return nil
}

// Resolve reads the URLs that are given as files, and returns every fault of the URLs. Each has the name of
// the variable, what is wrong and what to do.
func (s *Stores) Resolve() error {
	return errors.Join(
		fromFile("CHIT_DATABASE_URL", &s.DatabaseURL, s.DatabaseURLFile),
		fromFile("CHIT_REDIS_URL", &s.RedisURL, s.RedisURLFile),
		s.checkURLs(),
	)
}

// Complete is Resolve for who needs both the database and Redis.
func (s *Stores) Complete() error { return errors.Join(s.Resolve(), s.checkHalves()) }

func fromFile(name string, value *string, path string) error {
	if path == "" {
		return nil
	}
	if *value != "" {
		return Fault(name, "and %s_FILE are both set: keep one", name)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Fault(name+"_FILE", "cannot be read: %v", err)
	}
	*value = strings.TrimSpace(string(content))
	if *value == "" {
		return Fault(name+"_FILE", "names an empty file: %s", path)
	}
	return nil
}

// checkURLs returns every fault of the URLs. It never repeats a URL, because URLs contain passwords.
func (s *Stores) checkURLs() error {
	var faults []error
	if s.DatabaseURL != "" {
		clients, err := repository.OpenPostgreSQL(s.DatabaseURL)
		if err != nil {
			faults = append(faults, Fault("CHIT_DATABASE_URL", "%v", err))
		} else {
			clients.Close()
		}
	}
	if s.RedisURL != "" {
		client, err := tokens.Connect(s.RedisURL)
		if err != nil {
			faults = append(faults, Fault("CHIT_REDIS_URL", "%v", err))
		} else {
			client.Close()
		}
	}
	return errors.Join(faults...)
}

// ParseConfig returns the settings of chit serve for these flags and the environment. The error has a line
// for each fault.
func ParseConfig(flags ...string) (Config, error) {
	var config Config
	parser, err := kong.New(&config, kong.Name("chit"))
	if err != nil {
		return Config{}, err
	}
	if _, err := parser.Parse(flags); err != nil {
		return Config{}, err
	}
	return config, config.Complete()
}

// Complete sets the defaults that depend on other settings. It returns every fault.
func (c *Config) Complete() error {
	faults := []error{c.Stores.Complete()}
	if c.Listen == "" {
		c.Listen = ":8080"
		if c.Embedded() {
			c.Listen = "127.0.0.1:8080"
		}
	}
	if c.LogFormat == "" {
		c.LogFormat = "json"
		if c.Embedded() {
			c.LogFormat = "text"
		}
	}
	for _, rule := range []struct {
		bad     bool
		setting string
		message string
	}{
		{!IsAddress(c.Listen), "CHIT_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8080 or :8080", c.Listen)},
		{!IsAddress(c.OpsListen), "CHIT_OPS_LISTEN", fmt.Sprintf("%q is not an address: write 127.0.0.1:8081", c.OpsListen)},
		{c.Embedded() && IsAddress(c.Listen) && !isLoopback(c.Listen), "CHIT_LISTEN", fmt.Sprintf("%q can be reached from other machines, and the demo client's secret is known to all: listen on 127.0.0.1, or set CHIT_DATABASE_URL and CHIT_REDIS_URL", c.Listen)},
		{c.Embedded() && IsAddress(c.OpsListen) && !isLoopback(c.OpsListen), "CHIT_OPS_LISTEN", fmt.Sprintf("%q can be reached from other machines, which the embedded mode never is: listen on 127.0.0.1", c.OpsListen)},
		{!isIssuer(c.Issuer), "CHIT_ISSUER", fmt.Sprintf("%q is not an http(s) URL without query and fragment: write https://auth.example.com", c.Issuer)},
		{!tokens.ValidPrefix(c.TokenPrefix), "CHIT_TOKEN_PREFIX", fmt.Sprintf("%q is not 1 to 31 letters, digits and hyphens", c.TokenPrefix)},
		{c.RedisWaitReplicas < 0, "CHIT_REDIS_WAIT_REPLICAS", fmt.Sprintf("%d is not a number of replicas: write 0 or more", c.RedisWaitReplicas)},
		{c.RedisWaitReplicas > 0 && !c.canWait(), "CHIT_REDIS_WAIT_REPLICAS", "needs one Redis server or Sentinel: in a Cluster WAIT cannot be sent after the key that was written, and the embedded Redis has no replicas"},
		{!slices.Contains([]string{"on", "off"}, c.RedisWaitOnIssue), "CHIT_REDIS_WAIT_ON_ISSUE", fmt.Sprintf("%q is neither on nor off", c.RedisWaitOnIssue)},
		{c.MaxConcurrent < 0, "CHIT_MAX_CONCURRENT", fmt.Sprintf("%d is too small: write 1 or more, or 0 for the default", c.MaxConcurrent)},
		{c.MetricsClients < 0 || c.MetricsClients > maxMetricsClients, "CHIT_METRICS_CLIENTS", fmt.Sprintf("%d is not a number from 0 to %d", c.MetricsClients, maxMetricsClients)},
		{!slices.Contains([]string{"on", "off"}, c.RedisBatching), "CHIT_REDIS_BATCHING", fmt.Sprintf("%q is neither on nor off", c.RedisBatching)},
		{!slices.Contains([]string{"on", "off"}, c.Migrate), "CHIT_MIGRATE", fmt.Sprintf("%q is neither on nor off", c.Migrate)},
		{!slices.Contains([]string{"json", "text"}, c.LogFormat), "CHIT_LOG_FORMAT", fmt.Sprintf("%q is neither json nor text", c.LogFormat)},
		{!slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "CHIT_LOG_LEVEL", fmt.Sprintf("%q is none of debug, info, warn, error", c.LogLevel)},
	} {
		if rule.bad {
			faults = append(faults, Fault(rule.setting, "%s", rule.message))
		}
	}
	return errors.Join(append(faults,
		c.TokenTTL.CheckLifetime("CHIT_TOKEN_TTL"),
		c.RequestTimeout.Check("CHIT_REQUEST_TIMEOUT", time.Millisecond),
		c.ClientMaxStale.Check("CHIT_CLIENT_MAX_STALE", 0),
		c.ShutdownDelay.Check("CHIT_SHUTDOWN_DELAY", 0),
		c.ShutdownTimeout.Check("CHIT_SHUTDOWN_TIMEOUT", 0),
		c.publicPair().check(),
		c.opsPair().check(),
		traces.Check(),
		c.Auditing.Check(),
		c.Throttling.check(),
		c.StrongClients.check(),
		c.checkMutualTLS(),
	)...)
}

// maxMetricsClients limits the series of the metrics. Each client has two.
const maxMetricsClients = 1000

// concurrentPerCPU is the default number of requests in progress for each CPU. Most of them wait for round
// trips to Redis, which they share.
const concurrentPerCPU = 128

func (c *Config) maxConcurrent() int {
	return cmp.Or(c.MaxConcurrent, concurrentPerCPU*runtime.GOMAXPROCS(0))
}

func Fault(setting, format string, args ...any) error {
	return fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...))
}

// IsAddress reports whether the text has a host, which may be empty, and a port.
func IsAddress(address string) bool {
	_, _, err := net.SplitHostPort(address)
	return err == nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func isIssuer(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" &&
		parsed.User == nil && !strings.ContainsAny(text, "?#")
}
