package tokens

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// defaults are set where the URL says nothing. The first three bound one attempt; a request's own
// deadline bounds them all.
var defaults = map[string]string{
	"dial_timeout":  "1s",
	"read_timeout":  "1s",
	"write_timeout": "1s",
	// One retry outlives a connection that Redis closed while it was idle. Every command that the
	// store sends may be sent twice.
	"max_retries": "1",
}

// clusterReload is how often a Cluster is asked which node has which slots.
const clusterReload = time.Second

var errNotURL = errors.New("is not a URL: write redis://user:password@host:6379/0")

// Connect returns a client for the Redis that rawURL names; it does not yet reach for it.
//
//	redis://user:password@host:port/db                           a single server
//	redis://host:port?addr=host:port&addr=…                      Cluster: some of its nodes
//	redis://host:port?master_name=NAME&addr=host:port&addr=…     Sentinel: the sentinels
//
// With rediss:// the connections use TLS: sslrootcert names a file with the authorities that are
// trusted in place of the system's, sslcert and sslkey a certificate to present. Any further
// parameter is one of go-redis. The error for a URL that is none of these never repeats it: it may
// hold a password.
func Connect(rawURL string) (redis.UniversalClient, error) {
	parsed, err := url.Parse(rawURL)
	if err != nil {
		return nil, errNotURL
	}
	if parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return nil, errors.New("must begin with redis:// or rediss://")
	}
	if database := strings.Trim(parsed.Path, "/"); strings.Trim(database, "0123456789") != "" {
		return nil, errors.New("must end with the number of a database, or with none")
	}
	query := parsed.Query()
	for name, value := range defaults {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	files, err := takeTLS(parsed.Scheme, query)
	if err != nil {
		return nil, err
	}
	parsed.RawQuery = query.Encode()
	switch {
	case query.Has("master_name"):
		return connectSentinel(parsed.String(), files)
	case query.Has("addr"):
		return connectCluster(parsed.String(), files)
	}
	return connectSingle(parsed.String(), files)
}

// What follows cannot be said in a URL: that a context's deadline ends a command, and that a new
// connection sends no greetings which plain Redis refuses.
func connectSingle(url string, files tlsFiles) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
	files.secure(options.TLSConfig)
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

func connectSentinel(url string, files tlsFiles) (redis.UniversalClient, error) {
	options, err := redis.ParseFailoverURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
	files.secureMany(options.TLSConfig)
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	return redis.NewFailoverClient(options), nil
}

func connectCluster(url string, files tlsFiles) (redis.UniversalClient, error) {
	options, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
	files.secureMany(options.TLSConfig)
	// A pipeline to a dead primary does not make go-redis look for the new one: its own interval, a
	// minute, would be the length of the outage.
	options.ClusterStateReloadInterval = clusterReload
	// The key says where a command goes. By default go-redis asks a node for the table of all commands
	// first: if that node hangs, every command waits for it.
	options.DisableRoutingPolicies = true
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(options), nil
}

// withoutURL keeps what go-redis found wrong and drops errors that quote the URL.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return errNotURL
	}
	return errors.New(strings.TrimPrefix(err.Error(), "redis: "))
}
