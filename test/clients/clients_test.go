// Package clients runs clients that others have written against the server.
package clients

import (
	"archive/tar"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"chit/app/apptest"
	"chit/assertions"
	"chit/guard"
	"chit/models"
)

func TestMain(m *testing.M) { apptest.Run(m) }

// serve starts a server whose issuer is its URL.
func serve(t *testing.T, flags ...string) *apptest.Server {
	t.Helper()
	address := apptest.FreeAddress(t)
	return apptest.Embedded(t, append([]string{"--listen=" + address, "--issuer=http://" + address}, flags...)...)
}

func register(s *apptest.Server, id string, signer *apptest.Signer) {
	s.Exec("INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, jwks) VALUES ('" + id + "', 'a b', 'private_key_jwt', '" + apptest.JWKS(signer) + "')")
}

// run runs a program and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// javaScript returns the path of Node.js and a directory with a script and the two libraries, which only depend on jose.
func javaScript(t *testing.T, name string) (node, dir string) {
	t.Helper()
	node, dir = apptest.Program(t, "node", "nodejs"), t.TempDir()
	packages, err := filepath.Glob("testdata/*.tgz")
	if err != nil || len(packages) != 3 {
		t.Fatal(packages, err)
	}
	for _, file := range packages {
		name := filepath.Base(file)
		unpack(t, file, filepath.Join(dir, "node_modules", name[:strings.LastIndex(name, "-")]))
	}
	script, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return node, dir
}

// The two JavaScript libraries authenticate by assertions.
func TestJavaScript(t *testing.T) {
	node, dir := javaScript(t, "clients.mjs")
	s := serve(t)
	for _, algorithm := range []string{"ES256", "RS256", "PS256", "Ed25519"} {
		signer := apptest.NewSigner(t, algorithm, "k1")
		register(s, algorithm, signer)
		key, err := json.Marshal(jose.JSONWebKey{Key: signer.Private()})
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, dir, node, "clients.mjs", s.URL, algorithm, algorithm, "k1", string(key))
		want := "oauth4webapi true " + algorithm + " a false\nopenid-client true " + algorithm + " a false\n"
		if got != want {
			t.Errorf("%s: got %s, want %s", algorithm, got, want)
		}
	}
}

// The two JavaScript libraries get tokens that are bound to a key, and use them at a service with a guard.
func TestJavaScriptWithDPoP(t *testing.T) {
	node, dir := javaScript(t, "dpop.mjs")
	for nonces, key := range map[string]string{"off": "", "on": strings.Repeat("k", 32)} {
		s := serve(t, "--dpop-nonce="+nonces)
		service := httptest.NewUnstartedServer(nil)
		origin := "http://" + service.Listener.Addr().String()
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, dpop_bound_access_tokens, allowed_resources) VALUES ('job', '" + models.HashSecret("s3cret") + "', 'a b', true, 'urn:other " + origin + "')")
		s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server, resource) VALUES ('api', '" + models.HashSecret("s3cret") + "', true, '" + origin + "')")
		g, err := guard.New(guard.Config{Issuer: s.URL, ClientID: "api", ClientSecret: "s3cret", Resource: origin, Origin: origin, NonceKey: key})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		service.Config.Handler = g.Require("a")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, _ := guard.FromContext(r.Context())
			fmt.Fprint(w, token.ClientID, len(token.Audience), len(token.Key))
		}))
		service.Start()
		t.Cleanup(service.Close)
		for _, algorithm := range []string{"ES256", "RS256", "PS256", "Ed25519"} {
			got := run(t, dir, node, "dpop.mjs", s.URL, "job", "s3cret", algorithm, origin+"/a%20b?c=d")
			if want := "oauth4webapi dpop 200 job2 43\nopenid-client dpop 200 job1 43\n"; got != want {
				t.Errorf("%s, nonces %s: got %s, want %s", algorithm, nonces, got, want)
			}
		}
	}
}

// unpack unpacks a package of npm, whose files are in a folder "package".
func unpack(t *testing.T, file, into string) {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		_, name, _ := strings.Cut(header.Name, "/")
		if err != nil || !filepath.IsLocal(name) {
			t.Fatal(header, err)
		}
		content, err := io.ReadAll(files)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(into, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(into, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Authlib's assertions are for the token endpoint and live for an hour, which settings allow.
func TestAuthlib(t *testing.T) {
	python := apptest.Program(t, "/usr/bin/python3", "python3")
	if err := exec.Command(python, "-c", "import authlib, requests").Run(); err != nil {
		apptest.Missing(t, "Authlib", "python3-authlib python3-requests")
	}
	address := apptest.FreeAddress(t)
	s := apptest.Embedded(t, "--listen="+address, "--issuer=http://"+address, "--assertion-audiences=http://"+address+"/token", "--assertion-max-lifetime=1h")
	signer := apptest.NewSigner(t, "RS256", "")
	register(s, "authlib", signer)
	if got := run(t, ".", python, "testdata/authlib_client.py", s.URL+"/token", "authlib", privateKey(t, signer)); got != "Bearer a 3600\n" {
		t.Error(got)
	}
}

// privateKey writes a private key to a file.
func privateKey(t *testing.T, signer *apptest.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signer.Private())
	if err != nil {
		t.Fatal(err)
	}
	return apptest.File(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// golang.org/x/oauth2 sends an assertion as parameters of the endpoint.
func TestGoOAuth2(t *testing.T) {
	s := serve(t)
	signer := apptest.NewSigner(t, "ES256", "k1")
	register(s, "go", signer)
	config := clientcredentials.Config{
		ClientID: "go", TokenURL: s.URL + "/token", Scopes: []string{"a"}, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{"client_assertion_type": {assertions.Type}, "client_assertion": {signer.Sign(apptest.AssertionClaims("go", s.URL))}},
	}
	token, err := config.Token(t.Context())
	if err != nil || token.Extra("scope") != "a" || !token.Valid() {
		t.Errorf("%+v, %v", token, err)
	}
}

// curl shows a certificate, and its token goes with this certificate alone.
func TestCurlWithACertificate(t *testing.T) {
	curl := apptest.Program(t, "curl", "curl")
	own, clients := apptest.NewAuthority(t), apptest.NewAuthority(t)
	certificate := own.Issue("127.0.0.1")
	address := apptest.FreeAddress(t)
	s := apptest.Embedded(t, "--listen="+address, "--issuer=https://"+address, "--tls-cert="+certificate.Cert, "--tls-key="+certificate.Key, "--tls-client-ca="+clients.File)
	s.Exec("INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, tls_client_auth_san_dns, tls_client_certificate_bound_access_tokens) VALUES ('curl', 'a', 'tls_client_auth', 'job.example', true)")
	s.Exec("INSERT INTO oauth_client (client_id, client_secret_hash, is_resource_server) VALUES ('api', '" + models.HashSecret("s3cret") + "', true)")
	shown, other := clients.Issue("job.example"), clients.Issue("other.example")
	got := run(t, ".", curl, "-sS", "--fail-with-body", "--cacert", own.File, "--cert", shown.Cert, "--key", shown.Key, "-d", "grant_type=client_credentials", "-d", "client_id=curl", s.URL+"/token")
	var granted struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if err := json.Unmarshal([]byte(got), &granted); err != nil || granted.Type != "Bearer" {
		t.Fatal(got, err)
	}
	g, err := guard.New(guard.Config{Issuer: s.URL, ClientID: "api", ClientSecret: "s3cret", Client: &http.Client{Transport: &http.Transport{TLSClientConfig: own.Trust()}}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	service := httptest.NewUnstartedServer(g.Require("a")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })))
	service.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{certificate.Load(t)}}
	service.StartTLS()
	defer service.Close()
	ask := func(more ...string) string {
		return run(t, ".", curl, append(more, "-sS", "--cacert", own.File, "-w", " %{http_code}", "-H", "Authorization: Bearer "+granted.Token, service.URL)...)
	}
	if got := ask("--cert", shown.Cert, "--key", shown.Key); got != "hello 200" {
		t.Error(got)
	}
	for name, got := range map[string]string{"another certificate": ask("--cert", other.Cert, "--key", other.Key), "none": ask()} {
		if !strings.HasSuffix(got, " 401") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
