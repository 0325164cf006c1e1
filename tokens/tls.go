package tokens

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// tlsFiles are what a rediss:// URL names beside the server, in the words that PostgreSQL has for
// the same things. The zero value trusts the system's roots and presents no certificate.
type tlsFiles struct {
	roots     *x509.CertPool // sslrootcert
	cert, key string         // sslcert and sslkey, paths
}

// takeTLS takes the parameters that name files out of a URL's query.
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

// present returns the certificate that the server is shown. It is read for each connection, so that
// one that was renewed is used without a restart.
func (f tlsFiles) present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("names an sslcert and sslkey that cannot be used: %w", err)
	}
	return &pair, nil
}

// secure adds the files to what go-redis has made of the URL; nil is a connection without TLS.
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

// secureMany is secure where there are several servers. go-redis would expect the name of the URL's
// host in the certificate of each; without a name each is checked by the address that it is
// reached at.
func (f tlsFiles) secureMany(config *tls.Config) {
	f.secure(config)
	if config != nil {
		config.ServerName = ""
	}
}
