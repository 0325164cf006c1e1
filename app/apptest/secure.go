package apptest

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// StartSecureRedis returns a redis-server with a second port for TLS, and the rediss:// URL of that port
// without an authority. With --tls-auth-clients yes in args, clients must present a certificate of the
// authority.
func StartSecureRedis(t testing.TB, ca *Authority, own Certificate, args ...string) (r *Redis, secureURL string) {
	t.Helper()
	var securePort int
	r = startRedis(t, passwordIn(args), func(port int) (line []string, err error) {
		if securePort, err = freePort(); err != nil {
			return nil, err
		}
		secure := []string{
			"--tls-port", strconv.Itoa(securePort), "--tls-cert-file", own.Cert, "--tls-key-file", own.Key,
			"--tls-ca-cert-file", ca.File, "--tls-auth-clients", "no",
		}
		return redisArgs(port, append(secure, args...)...), nil
	})
	u, err := url.Parse(r.URL)
	must(t, err)
	u.Scheme, u.Host = "rediss", loopback(securePort)
	return r, u.String()
}

// StartSecurePostgreSQL returns a PostgreSQL with ssl=on, and its URL with sslmode=verify-full and this
// authority. The server also accepts connections without TLS.
func StartSecurePostgreSQL(t testing.TB, ca *Authority, own Certificate) (p *PostgreSQL, secureURL string) {
	t.Helper()
	user, err := postgresqlUser()
	must(t, err)
	if user != nil {
		must(t, chown(own.Key, user)) // it refuses a key that another user could have written
	}
	p = StartPostgreSQL(t, "ssl=on", "ssl_cert_file="+own.Cert, "ssl_key_file="+own.Key)
	return p, strings.Replace(p.URL, "sslmode=disable", "sslmode=verify-full&sslrootcert="+url.QueryEscape(ca.File), 1)
}
