package tokens

import (
	"errors"
	"net/url"
	"strings"

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

var errNotURL = errors.New("is not a URL: write redis://user:password@host:6379/0")

// Connect returns a client for the Redis that rawURL names; it does not yet reach for it.
//
//	redis://user:password@host:port/db                           a single server
//	redis://host:port?addr=host:port&addr=…                      Cluster: some of its nodes
//	redis://host:port?master_name=NAME&addr=host:port&addr=…     Sentinel: the sentinels
//
// With rediss:// the connections use TLS. Any further parameter is one of go-redis. The error for
// a URL that is none of these never repeats it: it may hold a password.
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
	parsed.RawQuery = query.Encode()
	switch {
	case query.Has("master_name"):
		return connectSentinel(parsed.String())
	case query.Has("addr"):
		return connectCluster(parsed.String())
	}
	return connectSingle(parsed.String())
}

// What follows cannot be said in a URL: that a context's deadline ends a command, and that a new
// connection sends no greetings which plain Redis refuses.
func connectSingle(url string) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

func connectSentinel(url string) (redis.UniversalClient, error) {
	options, err := redis.ParseFailoverURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	return redis.NewFailoverClient(options), nil
}

func connectCluster(url string) (redis.UniversalClient, error) {
	options, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, withoutURL(err)
	}
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
