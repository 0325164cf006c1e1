package handlers_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// With a listener of their own, only clients with certificates are asked for them.
func TestMTLSListener(t *testing.T) {
	m := startMutual(t, "--mtls-listen=127.0.0.1:0", "--issuer=https://auth.example.com/m2m", "--mtls-url=https://mtls.example.com/m2m/")
	m.client("job", "tls_client_auth", "tls_client_auth_san_dns", "'billing.example'")
	if answer := m.tokenAt(m.MTLSURL, "job", named(m.ca, nil)); answer.Status != 200 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if answer := m.token("job", named(m.ca, nil)); answer.Status != 401 {
		t.Errorf("at the other listener: %d %s", answer.Status, answer.Body)
	}
	for at, want := range map[string]bool{m.URL: false, m.MTLSURL: true} {
		asked := false
		config := m.own.Trust()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		}
		request, err := http.NewRequest(http.MethodGet, at+"/.well-known/oauth-authorization-server", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer := apptest.SendBy(t, &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, request)
		if asked != want {
			t.Errorf("%s asks for certificates: %t", at, asked)
		}
		aliases, _ := answer.JSON()["mtls_endpoint_aliases"].(map[string]any)
		if aliases["token_endpoint"] != "https://mtls.example.com/m2m/token" || answer.Text("token_endpoint") != "https://auth.example.com/m2m/token" {
			t.Errorf("%s", answer.Body)
		}
	}
}

// The metadata tells by which methods clients can authenticate, and where.
func TestMetadataOfCertificates(t *testing.T) {
	ca := apptest.NewAuthority(t)
	own := ca.Issue("127.0.0.1")
	secured := []string{"--tls-cert=" + own.Cert, "--tls-key=" + own.Key, "--issuer=https://auth.example.com/m2m"}
	address := apptest.FreeAddress(t)
	alias := "https://auth.example.com" + address[strings.LastIndex(address, ":"):] + "/m2m/token"
	for _, row := range []struct {
		name    string
		flags   []string
		methods string // beside those that are always there
		alias   string
	}{
		{"TLS alone", secured, "", ""},
		{"an authority", append(secured, "--tls-client-ca="+ca.File), " tls_client_auth self_signed_tls_client_auth", ""},
		{"a listener", append(secured, "--mtls-listen="+address), " self_signed_tls_client_auth", alias},
		{"a listener and an authority", append(secured, "--mtls-listen="+address, "--tls-client-ca="+ca.File), " tls_client_auth self_signed_tls_client_auth", alias},
		{"a proxy", []string{"--trusted-proxies=192.0.2.1"}, " self_signed_tls_client_auth", ""},
		{"a proxy and an authority", []string{"--trusted-proxies=192.0.2.1", "--tls-client-ca=" + ca.File}, " tls_client_auth self_signed_tls_client_auth", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := apptest.Embedded(t, row.flags...)
			request, err := http.NewRequest(http.MethodGet, s.URL+"/.well-known/oauth-authorization-server", nil)
			if err != nil {
				t.Fatal(err)
			}
			members := apptest.SendBy(t, &http.Transport{TLSClientConfig: ca.Trust(), DisableKeepAlives: true}, request).JSON()
			want := "[client_secret_basic client_secret_post private_key_jwt" + row.methods + "]"
			for _, endpoint := range []string{"token", "introspection", "revocation"} {
				if got := fmt.Sprint(members[endpoint+"_endpoint_auth_methods_supported"]); got != want {
					t.Errorf("%s: %s, want %s", endpoint, got, want)
				}
			}
			if bound := members["tls_client_certificate_bound_access_tokens"] == true; bound != strings.Contains(row.methods, "self_signed") {
				t.Errorf("tls_client_certificate_bound_access_tokens is %t", bound)
			}
			if got := fmt.Sprint(members["dpop_signing_alg_values_supported"]); got != "[ES256 RS256 PS256 EdDSA Ed25519]" {
				t.Errorf("dpop_signing_alg_values_supported is %s", got)
			}
			aliases, _ := members["mtls_endpoint_aliases"].(map[string]any)
			if got, _ := aliases["token_endpoint"].(string); got != row.alias {
				t.Errorf("the alias is %q, want %q", got, row.alias)
			}
		})
	}
}

// A change of the file with the authorities is in force after a second. A file that is broken changes nothing.
func TestChangedAuthorities(t *testing.T) {
	m := startMutual(t)
	m.client("job", "tls_client_auth", "tls_client_auth_san_dns", "'billing.example'")
	old, renewed := named(m.ca, nil), apptest.NewAuthority(t)
	if err := os.WriteFile(m.ca.File, []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if answer := m.token("job", old); answer.Status != 200 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	content, err := os.ReadFile(renewed.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.ca.File, content, 0o644); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, 10*time.Second, "the new authority", func() bool { return m.token("job", named(renewed, nil)).Status == 200 })
	if answer := m.token("job", old); answer.Status != 401 {
		t.Errorf("the old authority: %d %s", answer.Status, answer.Body)
	}
}
