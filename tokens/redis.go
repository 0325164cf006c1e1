package tokens

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// defaults apply where the URL has no value. The first three limit one attempt. The deadline of the request
// limits all attempts together.
var defaults = map[string]string{
	"dial_timeout":  "1s",
	"read_timeout":  "1s",
	"write_timeout": "1s",
	// One retry is enough when Redis has closed an idle connection. Every command that the store sends is
	// safe to repeat.
	"max_retries": "1",
}

// clusterReload is how often the client asks a Cluster which node has which slots.
const clusterReload = time.Second

var errNotURL = errors.New("is not a URL: write redis://user:password@host:6379/0")

// Connect returns a client for the Redis at rawURL. It does not connect yet.
//
//	redis://user:password@host:port/db                           a single server
//	redis://host:port?addr=host:port&addr=…                      Cluster: some of its nodes
//	redis://host:port?master_name=NAME&addr=host:port&addr=…     Sentinel: the sentinels
//
// With rediss:// the connections use TLS. sslrootcert names a file with the trusted authorities; the
// default is those of the system. sslcert and sslkey name a client certificate and its key. All other
// parameters are those of go-redis. The error for a wrong URL does not contain the URL, because it may hold
// a password.
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

// Some options cannot be set in a URL. ContextTimeoutEnabled lets the deadline of a context end a command.
// DisableIdentity and the disabled maintenance notifications avoid commands that plain Redis refuses.
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
	// A pipeline that fails does not make go-redis look for a new primary. With its default interval the
	// outage would last a minute.
	options.ClusterStateReloadInterval = clusterReload
	// Commands are routed by their key. By default go-redis first asks a node for the table of all
	// commands. If that node hangs, every command waits for it.
	options.DisableRoutingPolicies = true
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(options), nil
}

// withoutURL keeps the reason that go-redis gives, and drops errors that quote the URL.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return errNotURL
	}
	return errors.New(strings.TrimPrefix(err.Error(), "redis: "))
}
