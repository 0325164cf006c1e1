package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority of one test.
type Authority struct {
	File string // its certificate, in PEM

	t           testing.TB
	dir         string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// Certificate names a certificate and its private key, both files in PEM.
type Certificate struct{ Cert, Key string }

// NewAuthority returns a new authority. Nobody trusts it yet.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	// Not in the directory of the test, because PostgreSQL may run as another user.
	dir, err := os.MkdirTemp("", "chit-authority-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	a := &Authority{t: t, dir: dir, File: filepath.Join(dir, "ca.pem")}
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := a.template("Test CA " + filepath.Base(dir))
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	must(t, err)
	a.certificate, err = x509.ParseCertificate(der)
	must(t, err)
	must(t, writePEM(a.File, "CERTIFICATE", der))
	return a
}

// Issue returns a certificate for these names and addresses, valid for an hour.
func (a *Authority) Issue(names ...string) Certificate {
	a.t.Helper()
	return a.IssueUntil(time.Now().Add(time.Hour), names...)
}

// IssueUntil is like Issue, with another expiry, which may be in the past.
func (a *Authority) IssueUntil(expires time.Time, names ...string) Certificate {
	a.t.Helper()
	return a.IssueAs(func(template *x509.Certificate) {
		template.Subject.CommonName, template.NotAfter = names[0], expires
		for _, name := range names {
			if ip := net.ParseIP(name); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, name)
			}
		}
	})
}

// IssueAs returns a certificate that change has filled in.
func (a *Authority) IssueAs(change func(template *x509.Certificate)) Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	template := a.template("")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	must(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	dir, err := os.MkdirTemp(a.dir, "")
	must(a.t, errors.Join(err, os.Chmod(dir, 0o755)))
	issued := Certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	must(a.t, errors.Join(writePEM(issued.Cert, "CERTIFICATE", der), writePEM(issued.Key, "PRIVATE KEY", private)))
	return issued
}

// Load returns the certificate with its key.
func (c Certificate) Load(t testing.TB) tls.Certificate {
	t.Helper()
	loaded, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	must(t, err)
	return loaded
}

// Trust returns the TLS settings of a client that trusts only this authority.
func (a *Authority) Trust() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots}
}

func (a *Authority) template(name string) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	must(a.t, err)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

// writePEM writes a file that only its owner may write. Others may read certificates but not keys.
func writePEM(path, kind string, der []byte) error {
	mode := os.FileMode(0o644)
	if kind != "CERTIFICATE" {
		mode = 0o600
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
