package handlers_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"chit/app/apptest"
)

// mutual is a server that asks for certificates, and what its clients have.
type mutual struct {
	*apptest.Server
	t       *testing.T
	own, ca *apptest.Authority // of the server, and of clients
}

// startMutual starts a server. flags may have more.
func startMutual(t *testing.T, flags ...string) mutual {
	own, ca := apptest.NewAuthority(t), apptest.NewAuthority(t)
	certificate := own.Issue("127.0.0.1", "localhost")
	s := apptest.Embedded(t, append([]string{"--tls-cert=" + certificate.Cert, "--tls-key=" + certificate.Key, "--tls-client-ca=" + ca.File}, flags...)...)
	return mutual{s, t, own, ca}
}

// client registers a client. columns and values are SQL.
func (m mutual) client(id, method, columns, values string) {
	m.Exec("INSERT INTO oauth_client (client_id, token_endpoint_auth_method, " + columns + ") VALUES ('" + id + "', '" + method + "', " + values + ")")
}

// token asks for a token of a client with a certificate, or without one.
func (m mutual) token(id string, certificate *apptest.Certificate) apptest.Answer {
	m.t.Helper()
	return m.tokenAt(m.URL, id, certificate)
}

func (m mutual) tokenAt(at, id string, certificate *apptest.Certificate) apptest.Answer {
	m.t.Helper()
	config := m.own.Trust()
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.Load(m.t)}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	request, err := http.NewRequest(http.MethodPost, at+"/token", strings.NewReader(please+"client_id="+id))
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return apptest.SendBy(m.t, transport, request)
}

// named returns a certificate of an authority with what it may say about its owner.
func named(ca *apptest.Authority, change func(*x509.Certificate)) *apptest.Certificate {
	certificate := ca.IssueAs(func(template *x509.Certificate) {
		template.Subject = pkix.Name{CommonName: "billing", Organization: []string{"Acme, Inc."}, Country: []string{"DE"}}
		template.DNSNames = []string{"billing.example"}
		template.URIs = []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/billing"}}
		if change != nil {
			change(template)
		}
	})
	return &certificate
}

// A certificate of a trusted authority opens the client that it names, and no other.
func TestTLSClientAuth(t *testing.T) {
	m := startMutual(t)
	m.client("dn", "tls_client_auth", "tls_client_auth_subject_dn", `'CN=billing,O=Acme\, Inc.,C=DE'`)
	m.client("dns", "tls_client_auth", "tls_client_auth_san_dns", "'Billing.Example'")
	m.client("uri", "tls_client_auth", "tls_client_auth_san_uri", "'spiffe://example/billing'")
	m.client("both", "tls_client_auth", "tls_client_auth_san_uri, tls_client_auth_san_dns", "'spiffe://example/billing', 'other.example'")
	m.client("nothing", "tls_client_auth", "client_name", "'x'")
	m.client("malformed", "tls_client_auth", "tls_client_auth_subject_dn", "'billing'")
	m.client("disabled", "tls_client_auth", "tls_client_auth_san_dns, disabled_at", "'billing.example', CURRENT_TIMESTAMP")
	m.client("jwt", "private_key_jwt", "tls_client_auth_san_dns", "'billing.example'")
	right := named(m.ca, nil)
	for id, want := range map[string]int{"dn": 200, "dns": 200, "uri": 200, "both": 401, "nothing": 401, "malformed": 401, "disabled": 401, "jwt": 401, "nobody": 401} {
		if answer := m.token(id, right); answer.Status != want || want == 401 && answer.Body != unauthenticated {
			t.Errorf("%s: %d %s", id, answer.Status, answer.Body)
		}
	}
	for name, certificate := range map[string]*apptest.Certificate{
		"none":                 nil,
		"of another authority": named(apptest.NewAuthority(t), nil),
		"of the server's":      named(m.own, nil),
		"expired":              named(m.ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
		"not valid yet":        named(m.ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }),
		"for servers alone":    named(m.ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	} {
		for _, id := range []string{"dn", "dns", "uri"} {
			if answer := m.token(id, certificate); answer.Status != 401 || answer.Body != unauthenticated {
				t.Errorf("%s, %s: %d %s", name, id, answer.Status, answer.Body)
			}
		}
	}
	if !strings.Contains(m.Log(), `wrong certificate: tls_client_auth_subject_dn has the part \"billing\", which is no attribute`) {
		t.Error("the log does not have the cause")
	}
}

// Keycloak CVE-2023-2422: any certificate of a trusted authority opened any client.
func TestKeycloakCVE20232422AnyCertificate(t *testing.T) {
	m := startMutual(t)
	m.client("job", "tls_client_auth", "tls_client_auth_subject_dn", `'CN=billing,O=Acme\, Inc.,C=DE'`)
	for _, change := range []func(*x509.Certificate){
		func(c *x509.Certificate) { c.Subject.CommonName = "other" },
		func(c *x509.Certificate) { c.Subject.CommonName = "billing2" },
		func(c *x509.Certificate) { c.Subject.Organization = nil },
		func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"x"} },
		func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: `billing,O=Acme\, Inc.,C=DE`} },
		func(c *x509.Certificate) { c.Subject = pkix.Name{} },
	} {
		if answer := m.token("job", named(m.ca, change)); answer.Status != 401 {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
}

// A certificate with a registered key opens its client, whoever has signed it.
func TestSelfSignedTLSClientAuth(t *testing.T) {
	m := startMutual(t)
	first, second := named(apptest.NewAuthority(t), nil), named(m.ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	key := func(certificate *apptest.Certificate, whole bool) string {
		loaded := certificate.Load(t)
		jwk := jose.JSONWebKey{Key: loaded.Leaf.PublicKey, KeyID: "k"}
		if whole {
			jwk.Certificates = []*x509.Certificate{loaded.Leaf}
		}
		text, err := jwk.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	keysOf := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	place := apptest.NewIssuer(t)
	place.Publish(keysOf(key(first, false)))
	m.client("first", "self_signed_tls_client_auth", "jwks", "'"+keysOf(key(first, false))+"'")
	m.client("both", "self_signed_tls_client_auth", "jwks", "'"+keysOf(key(second, true), key(first, false))+"'")
	m.client("whole", "self_signed_tls_client_auth", "jwks", "'"+keysOf(key(first, true))+"'")
	m.client("remote", "self_signed_tls_client_auth", "jwks_uri", "'"+place.KeysURL+"'")
	m.client("none", "self_signed_tls_client_auth", "client_name", "'x'")
	m.client("pki", "tls_client_auth", "jwks", "'"+keysOf(key(first, false))+"'")
	for _, row := range []struct {
		id            string
		first, second int
	}{
		{"first", 200, 401}, {"both", 200, 200}, {"whole", 200, 401}, {"remote", 200, 401}, {"none", 401, 401}, {"pki", 401, 401},
	} {
		one, other := m.token(row.id, first), m.token(row.id, second)
		if one.Status != row.first || other.Status != row.second {
			t.Errorf("%s: %d %s, %d %s", row.id, one.Status, one.Body, other.Status, other.Body)
		}
	}
	if answer := m.token("first", nil); answer.Status != 401 {
		t.Errorf("without a certificate: %d", answer.Status)
	}
}

// The header of a trusted proxy counts, and that of anybody else does not.
func TestClientCertHeader(t *testing.T) {
	ca := apptest.NewAuthority(t)
	certificate := named(ca, nil).Load(t).Leaf
	item := ":" + base64.StdEncoding.EncodeToString(certificate.Raw) + ":"
	for proxies, want := range map[string]int{"127.0.0.0/8": 200, "192.0.2.0/24": 401} {
		s := apptest.Embedded(t, "--tls-client-ca="+ca.File, "--trusted-proxies="+proxies)
		m := mutual{Server: s, t: t}
		m.client("job", "tls_client_auth", "tls_client_auth_san_dns", "'billing.example'")
		m.client("other", "tls_client_auth", "tls_client_auth_san_dns", "'other.example'")
		ask := func(id string, header http.Header) apptest.Answer {
			request, err := http.NewRequest(http.MethodPost, s.URL+"/token", strings.NewReader(please+"client_id="+id))
			if err != nil {
				t.Fatal(err)
			}
			request.Header = header
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return s.Do(request)
		}
		if answer := ask("job", http.Header{"Client-Cert": {item}}); answer.Status != want {
			t.Errorf("%s: %d %s", proxies, answer.Status, answer.Body)
		}
		for name, header := range map[string]http.Header{
			"none":           {},
			"malformed":      {"Client-Cert": {"x"}},
			"two":            {"Client-Cert": {item, item}},
			"another header": {"X-Client-Cert": {item}},
		} {
			if answer := ask("job", header); answer.Status != 401 || answer.Body != unauthenticated {
				t.Errorf("%s, %s: %d %s", proxies, name, answer.Status, answer.Body)
			}
		}
		if answer := ask("other", http.Header{"Client-Cert": {item}}); answer.Status != 401 {
			t.Errorf("another client: %d %s", answer.Status, answer.Body)
		}
	}
}

// The certificate of a trusted proxy itself is not that of a client.
func TestCertificateOfAProxy(t *testing.T) {
	m := startMutual(t, "--trusted-proxies=127.0.0.1")
	m.client("gateway", "tls_client_auth", "tls_client_auth_san_dns", "'billing.example'")
	if answer := m.token("gateway", named(m.ca, nil)); answer.Status != 401 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}
