package handlers_test

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"chit/app/apptest"
)

// send asks for a token with this form, by a certificate or without one.
func (m mutual) send(form string, certificate *apptest.Certificate, header http.Header) apptest.Answer {
	m.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if m.own != nil {
		transport.TLSClientConfig = m.own.Trust()
		if certificate != nil {
			transport.TLSClientConfig.Certificates = []tls.Certificate{certificate.Load(m.t)}
		}
	}
	request, err := http.NewRequest(http.MethodPost, m.URL+"/token", strings.NewReader(please+form))
	if err != nil {
		m.t.Fatal(err)
	}
	if request.Header = header.Clone(); header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return apptest.SendBy(m.t, transport, request)
}

// introspected returns what a resource server is told about the token in an answer.
func (m mutual) introspected(answer apptest.Answer) apptest.Answer {
	m.t.Helper()
	request, err := http.NewRequest(http.MethodPost, m.URL+"/introspect", strings.NewReader("token="+answer.Text("access_token")))
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("api", secret)
	transport := &http.Transport{DisableKeepAlives: true}
	if m.own != nil {
		transport.TLSClientConfig = m.own.Trust()
	}
	return apptest.SendBy(m.t, transport, request)
}

// The tokens of a client that is marked so are bound to the certificate that it shows, however it authenticates.
func TestCertificateBoundTokens(t *testing.T) {
	m := startMutual(t)
	signer := apptest.NewSigner(t, "ES256", "k1")
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + secretHash + "', true)")
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash) VALUES ('free', '" + secretHash + "')")
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, tls_client_certificate_bound_access_tokens) VALUES ('secret', '" + secretHash + "', true)")
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, tls_client_certificate_bound_access_tokens, dpop_bound_access_tokens) VALUES ('both', '" + secretHash + "', true, true)")
	m.client("signing", "private_key_jwt", "tls_client_certificate_bound_access_tokens, jwks", "true, '"+apptest.JWKS(signer)+"'")
	m.client("certified", "tls_client_auth", "tls_client_certificate_bound_access_tokens, tls_client_auth_san_dns", "true, 'billing.example'")
	m.client("unbound", "tls_client_auth", "tls_client_auth_san_dns", "'billing.example'")
	for name, certificate := range map[string]*apptest.Certificate{"of the authority": named(m.ca, nil), "of another authority": named(apptest.NewAuthority(t), nil)} {
		bound := `{"x5t#S256":"` + apptest.CertificateThumbprint(certificate.Load(t).Leaf) + `"}`
		for _, row := range []struct {
			form   string
			status int
			cnf    string
		}{
			{"client_id=secret&client_secret=" + secret, 200, bound},
			{"client_id=signing&" + apptest.AssertionForm(signer.Sign(apptest.AssertionClaims("signing", issuer))), 200, bound},
			{"client_id=free&client_secret=" + secret, 200, ""},
			{"client_id=certified", map[bool]int{true: 200, false: 401}[name == "of the authority"], bound},
			{"client_id=unbound", map[bool]int{true: 200, false: 401}[name == "of the authority"], ""},
		} {
			answer := m.send(row.form, certificate, nil)
			if answer.Status != row.status {
				t.Errorf("%s, %s: %d %s", name, row.form, answer.Status, answer.Body)
				continue
			}
			told := m.introspected(answer)
			if answer.Status == 200 && (answer.Text("token_type") != "Bearer" || told.Text("token_type") != "Bearer" || told.Member("cnf") != row.cnf) {
				t.Errorf("%s, %s: %s", name, row.form, told.Body)
			}
		}
	}
	certificate := named(m.ca, nil)
	both := m.send("client_id=both&client_secret="+secret, certificate, http.Header{"Dpop": {signer.Proof(apptest.ProofClaims("POST", tokenURL))}})
	if want := `{"x5t#S256":"` + apptest.CertificateThumbprint(certificate.Load(t).Leaf) + `","jkt":"` + signer.Thumbprint() + `"}`; m.introspected(both).Member("cnf") != want {
		t.Errorf("both: %s %s", both.Body, m.introspected(both).Body)
	}
	// Who shows none is told so, and the header of a stranger does not count.
	header := http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(certificate.Load(t).Leaf.Raw) + ":"}}
	for _, id := range []string{"secret", "both"} {
		if answer := m.send("client_id="+id+"&client_secret="+secret, nil, header); answer.Status != 400 || answer.Text("error") != "invalid_request" || !strings.Contains(answer.Body, "show its certificate") {
			t.Errorf("%s: %d %s", id, answer.Status, answer.Body)
		}
	}
}

// From a trusted proxy, the header counts and the proxy's own certificate does not.
func TestCertificateBoundTokensBehindAProxy(t *testing.T) {
	s := apptest.Embedded(t, "--trusted-proxies=127.0.0.1")
	m := mutual{Server: s, t: t}
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + secretHash + "', true)")
	m.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, tls_client_certificate_bound_access_tokens) VALUES ('job', '" + secretHash + "', true)")
	leaf := named(apptest.NewAuthority(t), nil).Load(t).Leaf
	item := ":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":"
	form := "client_id=job&client_secret=" + secret
	if told := m.introspected(m.send(form, nil, http.Header{"Client-Cert": {item}})); told.Member("cnf") != `{"x5t#S256":"`+apptest.CertificateThumbprint(leaf)+`"}` {
		t.Errorf("%s", told.Body)
	}
	for name, header := range map[string]http.Header{"none": nil, "malformed": {"Client-Cert": {"x"}}, "empty": {"Client-Cert": {""}}, "two": {"Client-Cert": {item, item}}} {
		if answer := m.send(form, nil, header); answer.Status != 400 || answer.Text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	own, ca := apptest.NewAuthority(t), apptest.NewAuthority(t)
	server := own.Issue("127.0.0.1")
	direct := mutual{apptest.Embedded(t, "--trusted-proxies=127.0.0.1", "--tls-client-ca="+ca.File, "--tls-cert="+server.Cert, "--tls-key="+server.Key), t, own, ca}
	direct.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, tls_client_certificate_bound_access_tokens) VALUES ('job', '" + secretHash + "', true)")
	if answer := direct.send(form, named(ca, nil), nil); answer.Status != 400 || answer.Text("error") != "invalid_request" {
		t.Errorf("the proxy's own certificate: %d %s", answer.Status, answer.Body)
	}
}
