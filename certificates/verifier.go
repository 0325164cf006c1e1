package certificates

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"chit/keys"
	"chit/models"
)

// Verifier authenticates clients by certificates.
type Verifier struct {
	Authorities func() *x509.CertPool // of the certificates for tls_client_auth; nil: there are none
	Keys        *keys.Ring
}

// ErrOtherMethod means that the client does not authenticate by certificates.
var ErrOtherMethod = errors.New("the client does not authenticate by certificates")

// Verify returns no error if the certificate authenticates the client at the time now. It returns ErrOtherMethod
// for an unknown client and for one that does not use certificates, models.ErrPublicClient, or a
// models.Refusal. The chain of the certificate is verified in any case, so that the time does not tell.
func (v *Verifier) Verify(ctx context.Context, shown *Shown, client *models.Client, now time.Time, look models.Look) error {
	chain := v.verifyChain(shown, now)
	if client == nil {
		return ErrOtherMethod
	}
	var err error
	switch client.AuthMethod {
	case models.TLSClientAuth:
		if err = chain; err == nil {
			err = checkSubject(shown.Leaf, client)
		}
	case models.SelfSignedTLS:
		err = v.checkKey(ctx, shown.Leaf, client, look)
	default:
		return ErrOtherMethod
	}
	if err != nil {
		return fmt.Errorf("%w: %w", models.WrongCertificate, err)
	}
	return client.Admit()
}

var errNoAuthority = errors.New("no authority is trusted for client certificates: set CHIT_TLS_CLIENT_CA")

func (v *Verifier) verifyChain(shown *Shown, now time.Time) error {
	if v.Authorities == nil {
		return errNoAuthority
	}
	options := x509.VerifyOptions{
		Roots:         v.Authorities(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, certificate := range shown.Chain {
		options.Intermediates.AddCert(certificate)
	}
	_, err := shown.Leaf.Verify(options)
	return err
}

// checkSubject checks what the certificate says about its owner. An authority signs certificates for many.
func checkSubject(leaf *x509.Certificate, client *models.Client) error {
	var faults []error
	if client.TLSSubjectDN != "" {
		name, err := ParseName(string(client.TLSSubjectDN))
		if err == nil && !name.Matches(leaf.RawSubject) {
			err = fmt.Errorf("is not that of the certificate, which is %q", written(leaf.RawSubject))
		}
		faults = append(faults, because("tls_client_auth_subject_dn", err))
	}
	if name := string(client.TLSSANDNS); name != "" && !slices.ContainsFunc(leaf.DNSNames, func(own string) bool { return strings.EqualFold(own, name) }) {
		faults = append(faults, fmt.Errorf("tls_client_auth_san_dns is none of the certificate's names: %q", leaf.DNSNames))
	}
	if name := string(client.TLSSANURI); name != "" && !slices.ContainsFunc(leaf.URIs, func(own *url.URL) bool { return own.String() == name }) {
		faults = append(faults, fmt.Errorf("tls_client_auth_san_uri is none of the certificate's URIs: %q", leaf.URIs))
	}
	if client.TLSSubjectDN == "" && client.TLSSANDNS == "" && client.TLSSANURI == "" {
		faults = append(faults, errors.New("the client has no tls_client_auth_subject_dn, tls_client_auth_san_dns or tls_client_auth_san_uri"))
	}
	return errors.Join(faults...)
}

func because(column string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", column, err)
}

// checkKey checks that the key of the certificate is registered. If it is registered with a certificate, that
// must be the same one. Nothing else in the certificate counts, not even its expiry (RFC 8705 §2.2).
func (v *Verifier) checkKey(ctx context.Context, leaf *x509.Certificate, client *models.Client, look models.Look) error {
	source, found := keys.Of(client)
	if !found {
		return errors.New("the client has neither jwks nor jwks_uri")
	}
	registered := holds(leaf)
	set, err := v.Keys.Find(ctx, source, look != models.First, registered)
	if err == nil && !registered(set) {
		err = errors.New("no registered key is that of the certificate")
	}
	return err
}

// Await waits until a key document has been asked for again that lacks the key of the certificate. A last look then
// need not wait.
func (v *Verifier) Await(ctx context.Context, shown *Shown, client *models.Client) {
	if source, found := keys.Of(client); found && client.AuthMethod == models.SelfSignedTLS {
		_, _ = v.Keys.Find(ctx, source, true, holds(shown.Leaf)) // the last look finds the reason for a refusal
	}
}

// holds returns whether a set has the key of the certificate.
func holds(leaf *x509.Certificate) func(keys.Set) bool {
	return func(set keys.Set) bool {
		return slices.ContainsFunc(set.Keys, func(key keys.Key) bool { return isOf(leaf, key) })
	}
}

// isOf reports whether the certificate has the key.
func isOf(leaf *x509.Certificate, key keys.Key) bool {
	if key.Certificate != nil {
		return key.Certificate.Equal(leaf)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	return err == nil && bytes.Equal(der, leaf.RawSubjectPublicKeyInfo)
}
