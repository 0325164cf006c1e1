// Package clients runs clients that others have written against the server.
package clients

import (
	"archive/tar"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
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

// The two JavaScript libraries, which only depend on jose.
func TestJavaScript(t *testing.T) {
	node := apptest.Program(t, "node", "nodejs")
	dir := t.TempDir()
	packages, err := filepath.Glob("testdata/*.tgz")
	if err != nil || len(packages) != 3 {
		t.Fatal(packages, err)
	}
	for _, file := range packages {
		name := filepath.Base(file)
		unpack(t, file, filepath.Join(dir, "node_modules", name[:strings.LastIndex(name, "-")]))
	}
	script, err := os.ReadFile("testdata/clients.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "clients.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
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

// curl shows a certificate.
func TestCurlWithACertificate(t *testing.T) {
	curl := apptest.Program(t, "curl", "curl")
	own, clients := apptest.NewAuthority(t), apptest.NewAuthority(t)
	certificate := own.Issue("127.0.0.1")
	s := serve(t, "--tls-cert="+certificate.Cert, "--tls-key="+certificate.Key, "--tls-client-ca="+clients.File)
	s.Exec("INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, tls_client_auth_san_dns) VALUES ('curl', 'a', 'tls_client_auth', 'job.example')")
	shown := clients.Issue("job.example")
	got := run(t, ".", curl, "-sS", "--fail-with-body", "--cacert", own.File, "--cert", shown.Cert, "--key", shown.Key, "-d", "grant_type=client_credentials", "-d", "client_id=curl", s.URL+"/token")
	if !strings.Contains(got, `"token_type":"Bearer"`) {
		t.Error(got)
	}
}
