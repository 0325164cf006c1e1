package tokens

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// tlsFiles are the files that a rediss:// URL names, by the same parameters as a PostgreSQL URL. The zero
// value trusts the authorities of the system and presents no certificate.
type tlsFiles struct {
	roots     *x509.CertPool // sslrootcert
	cert, key string         // sslcert and sslkey, paths
}

// takeTLS removes the parameters that name files from the query of a URL, and returns them.
func takeTLS(scheme string, query url.Values) (files tlsFiles, err error) {
	roots := query.Get("sslrootcert")
	files.cert, files.key = query.Get("sslcert"), query.Get("sslkey")
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey"} {
		if query.Has(name) && scheme != "rediss" {
			return files, fmt.Errorf("names %s, which is for rediss:// alone", name)
		}
		query.Del(name)
	}
	if (files.cert == "") != (files.key == "") {
		return files, errors.New("names one of sslcert and sslkey: name both")
	}
	if files.cert != "" {
		if _, err := files.present(nil); err != nil {
			return files, err
		}
	}
	if roots == "" {
		return files, nil
	}
	content, err := os.ReadFile(roots)
	if err != nil {
		return files, fmt.Errorf("names an sslrootcert that cannot be read: %w", err)
	}
	files.roots = x509.NewCertPool()
	if !files.roots.AppendCertsFromPEM(content) {
		return files, fmt.Errorf("names an sslrootcert without a certificate in it: %s", roots)
	}
	return files, nil
}

// present returns the certificate to present to the server. It is read for each connection, so that a
// renewed certificate needs no restart.
func (f tlsFiles) present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("names an sslcert and sslkey that cannot be used: %w", err)
	}
	return &pair, nil
}

// secure adds the files to the TLS settings that go-redis made from the URL. It does nothing if they are
// nil, which means no TLS.
func (f tlsFiles) secure(config *tls.Config) {
	if config == nil {
		return
	}
	config.MinVersion = tls.VersionTLS12
	config.RootCAs = f.roots
	if f.cert != "" {
		config.GetClientCertificate = f.present
	}
}

// secureMany is like secure, for several servers. By default go-redis expects the host of the URL in the
// certificate of every server. Without a server name, each certificate is checked against the server's own
// address.
func (f tlsFiles) secureMany(config *tls.Config) {
	f.secure(config)
	if config != nil {
		config.ServerName = ""
	}
}
