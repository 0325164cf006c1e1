package app

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"chit/models"
)

// MutualTLS are the settings of clients that show a certificate.
type MutualTLS struct {
	TLSClientCA string `name:"tls-client-ca" env:"CHIT_TLS_CLIENT_CA" placeholder:"PATH" help:"Certificates of the authorities for tls_client_auth, in PEM; read again when they change. With it the public listener asks clients for certificates, unless CHIT_MTLS_LISTEN is set."`
	MTLSListen  string `name:"mtls-listen" env:"CHIT_MTLS_LISTEN" placeholder:"ADDRESS" help:"Another public listener, which asks clients for certificates, so that the first one need not. It needs CHIT_TLS_CERT."`
	MTLSURL     string `name:"mtls-url" env:"CHIT_MTLS_URL" placeholder:"URL" help:"URL of that listener in the metadata (default: the issuer with the port of CHIT_MTLS_LISTEN)."`
}

// checkMutualTLS returns every fault.
func (c *Config) checkMutualTLS() error {
	var faults []error
	if c.TLSClientCA != "" {
		if _, _, err := readAuthorities(c.TLSClientCA); err != nil {
			faults = append(faults, Fault("CHIT_TLS_CLIENT_CA", "%v", err))
		}
	}
	for _, rule := range []struct {
		bad     bool
		setting string
		message string
	}{
		{c.MTLSListen != "" && !IsAddress(c.MTLSListen), "CHIT_MTLS_LISTEN", fmt.Sprintf("%q is not an address: write :8443", c.MTLSListen)},
		{c.MTLSListen != "" && c.TLSCert == "", "CHIT_MTLS_LISTEN", "needs CHIT_TLS_CERT and CHIT_TLS_KEY: without TLS there are no certificates"},
		{c.Embedded() && c.MTLSListen != "" && IsAddress(c.MTLSListen) && !isLoopback(c.MTLSListen), "CHIT_MTLS_LISTEN", fmt.Sprintf("%q can be reached from other machines, which the embedded mode never is: listen on 127.0.0.1", c.MTLSListen)},
		{c.MTLSURL != "" && !isIssuer(c.MTLSURL), "CHIT_MTLS_URL", fmt.Sprintf("%q is not an http(s) URL without query and fragment: write https://mtls.example.com", c.MTLSURL)},
	} {
		if rule.bad {
			faults = append(faults, Fault(rule.setting, "%s", rule.message))
		}
	}
	return errors.Join(faults...)
}

// asksForCertificates reports whether the public listener asks clients for certificates.
func (c *Config) asksForCertificates() bool { return c.TLSClientCA != "" && c.MTLSListen == "" }

// authMethods returns the methods by which clients can authenticate.
func (c *Config) authMethods() []models.AuthMethod {
	methods := []models.AuthMethod{models.SecretBasic, models.SecretPost, models.PrivateKeyJWT}
	if c.TLSClientCA != "" {
		methods = append(methods, models.TLSClientAuth)
	}
	if c.MTLSListen != "" || c.TLSCert != "" && c.asksForCertificates() || len(c.TrustedProxies.prefixes) > 0 {
		methods = append(methods, models.SelfSignedTLS)
	}
	return methods
}

// mtlsBase returns the URL of the listener that asks for certificates; empty: there is none beside the public one.
func (c *Config) mtlsBase() string {
	if c.MTLSURL != "" || c.MTLSListen == "" {
		return c.MTLSURL
	}
	issuer, err := url.Parse(c.Issuer)
	_, port, portErr := net.SplitHostPort(c.MTLSListen)
	if err != nil || portErr != nil {
		return ""
	}
	issuer.Scheme, issuer.Host = "https", net.JoinHostPort(issuer.Hostname(), port)
	return issuer.String()
}

// listenForClients starts the public listeners.
func (s *Server) listenForClients(handler http.Handler, log *slog.Logger) (err error) {
	if s.config.TLSClientCA != "" && s.config.TLSCert == "" && len(s.config.TrustedProxies.prefixes) == 0 {
		log.Warn("CHIT_TLS_CLIENT_CA has no effect: certificates come from a listener with CHIT_TLS_CERT, or from a proxy in CHIT_TRUSTED_PROXIES")
	}
	server := func() *http.Server {
		return &http.Server{
			Handler:                      handler,
			DisableGeneralOptionsHandler: true,
			ReadTimeout:                  readTimeout,
			WriteTimeout:                 readTimeout + s.config.RequestTimeout.Duration + answerTimeout,
		}
	}
	public := endpoint{name: "public", address: s.config.Listen, setting: "CHIT_LISTEN", files: s.config.publicPair(), asks: s.config.asksForCertificates()}
	if s.URL, err = s.listen(public, server(), log); err != nil || s.config.MTLSListen == "" {
		return err
	}
	mutual := endpoint{name: "mtls", address: s.config.MTLSListen, setting: "CHIT_MTLS_LISTEN", files: s.config.publicPair(), asks: true}
	s.MTLSURL, err = s.listen(mutual, server(), log)
	return err
}

// authorities are those of a file. They are at most a second older than the file. A file that cannot be used is
// ignored.
type authorities struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex // guards the fields below
	pool   *x509.CertPool
	looked time.Time
	seen   [sha256.Size]byte
}

// openAuthorities reads the file.
func openAuthorities(path string, log *slog.Logger) (*authorities, error) {
	a := &authorities{path: path, log: log, looked: time.Now()}
	var err error
	a.pool, a.seen, err = readAuthorities(path)
	if err != nil {
		return nil, Fault("CHIT_TLS_CLIENT_CA", "%v", err)
	}
	return a, nil
}

func readAuthorities(path string) (pool *x509.CertPool, seen [sha256.Size]byte, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, sha256.Sum256([]byte(err.Error())), fmt.Errorf("cannot be read: %w", err)
	}
	pool, seen = x509.NewCertPool(), sha256.Sum256(content)
	if !pool.AppendCertsFromPEM(content) {
		return nil, seen, fmt.Errorf("has no certificate in PEM: %s", path)
	}
	return pool, seen, nil
}

// current returns the authorities.
func (a *authorities) current() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) < lookInterval {
		return a.pool
	}
	a.looked = time.Now()
	pool, seen, err := readAuthorities(a.path)
	if seen == a.seen {
		return a.pool
	}
	if a.seen = seen; err != nil {
		a.log.Warn("the changed authorities of client certificates cannot be used, so the old ones stay in use", "cause", err)
		return a.pool
	}
	a.pool = pool
	a.log.Info("authorities of client certificates in use", "file", a.path)
	return a.pool
}
