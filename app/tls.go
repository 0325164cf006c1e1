package app

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookInterval is how often at most the files of a certificate are read.
const lookInterval = time.Second

// keyPair names the files of a listener's certificate. The zero value means no TLS.
type keyPair struct {
	certSetting, cert string // certificates in PEM, that of the listener first
	keySetting, key   string
}

func (c *Config) publicPair() keyPair {
	return keyPair{"CHIT_TLS_CERT", c.TLSCert, "CHIT_TLS_KEY", c.TLSKey}
}

func (c *Config) opsPair() keyPair {
	return keyPair{"CHIT_OPS_TLS_CERT", c.OpsTLSCert, "CHIT_OPS_TLS_KEY", c.OpsTLSKey}
}

func (p keyPair) isSet() bool { return p.cert != "" }

// check returns every fault of the settings and of the files.
func (p keyPair) check() error {
	const half = "is not set, but %s is: set both, or neither for a listener without TLS"
	switch {
	case p.cert == "" && p.key == "":
		return nil
	case p.cert == "":
		return Fault(p.certSetting, half, p.keySetting)
	case p.key == "":
		return Fault(p.keySetting, half, p.certSetting)
	}
	cert, key, err := p.read()
	if err == nil {
		_, err = p.parse(cert, key)
	}
	return err
}

func (p keyPair) read() (cert, key []byte, err error) {
	cert, certErr := os.ReadFile(p.cert)
	if certErr != nil {
		certErr = Fault(p.certSetting, "cannot be read: %v", certErr)
	}
	key, keyErr := os.ReadFile(p.key)
	if keyErr != nil {
		keyErr = Fault(p.keySetting, "cannot be read: %v", keyErr)
	}
	return cert, key, errors.Join(certErr, keyErr)
}

func (p keyPair) parse(cert, key []byte) (*tls.Certificate, error) {
	parsed, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, Fault(p.certSetting, "and %s cannot be used: %v", p.keySetting, err)
	}
	return &parsed, nil
}

// certificate is the certificate of a listener. It is at most a second older than its files. The files are
// read at handshakes instead of being watched, because a watch breaks when Kubernetes swaps the symbolic
// link to them. Files that cannot be used are ignored.
type certificate struct {
	files keyPair
	log   *slog.Logger

	current atomic.Pointer[tls.Certificate]
	looking sync.Mutex // guards the fields below
	looked  time.Time
	seen    [sha256.Size]byte // hash of the files, or of the error of reading them
	warned  bool              // that the current certificate is not valid
}

// openCertificate reads the files. It fails unless they contain a certificate.
func openCertificate(files keyPair, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	if err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

// forHandshake is the GetCertificate callback of a tls.Config. Only one handshake at a time reads the
// files, so that a disk that hangs blocks only that one.
func (c *certificate) forHandshake(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.looking.TryLock() {
		defer c.looking.Unlock()
		if time.Since(c.looked) >= lookInterval {
			if err := c.look(); err != nil {
				c.log.Warn("the changed certificate cannot be used, so the old one stays in use", "cause", err)
			}
		}
	}
	return c.current.Load(), nil
}

// look reads the files and uses a changed certificate. It returns an error if the files have changed and
// cannot be used.
func (c *certificate) look() error {
	cert, key, err := c.files.read()
	seen := sha256.Sum256(slices.Concat(cert, []byte{0}, key))
	if err != nil {
		seen = sha256.Sum256([]byte(err.Error()))
	}
	c.looked = time.Now()
	if seen == c.seen {
		c.warnUnlessValid()
		return nil
	}
	c.seen = seen
	if err != nil {
		return err
	}
	parsed, err := c.files.parse(cert, key)
	if err != nil {
		return err
	}
	c.current.Store(parsed)
	c.warned = false
	c.log.Info("certificate in use", "file", c.files.cert, "names", parsed.Leaf.DNSNames, "expires", parsed.Leaf.NotAfter.UTC())
	c.warnUnlessValid()
	return nil
}

// warnUnlessValid logs once that the current certificate has expired or is not valid yet. The listener
// still presents it, because there is no other.
func (c *certificate) warnUnlessValid() {
	current := c.current.Load()
	if current == nil || c.warned {
		return
	}
	message := ""
	switch leaf := current.Leaf; {
	case c.looked.After(leaf.NotAfter):
		message = "the certificate has expired, and clients refuse it: replace its files"
	case c.looked.Before(leaf.NotBefore):
		message = "the certificate is not valid yet, and clients refuse it: look at the clock and at its files"
	default:
		return
	}
	c.warned = true
	c.log.Warn(message, "file", c.files.cert, "valid_from", current.Leaf.NotBefore.UTC(), "expires", current.Leaf.NotAfter.UTC())
}

// serverTLS returns the TLS settings of a listener that presents c.
func (c *certificate) serverTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.forHandshake}
}
