package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// guarded starts a server, and chit guard for a client of it.
func guarded(t *testing.T, client, secret string, args ...string) (*apptest.Process, *apptest.Process) {
	t.Helper()
	address := apptest.FreeAddress(t)
	s := apptest.StartChit(t, []string{"CHIT_LISTEN=" + address, "CHIT_ISSUER=http://" + address})
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := apptest.StartChit(t, []string{"CHIT_GUARD_LISTEN=127.0.0.1:0", "CHIT_GUARD_OPS_LISTEN=127.0.0.1:0", "CHIT_GUARD_CLIENT_SECRET_FILE=" + file, "CHIT_GUARD_ISSUER=http://" + address},
		append([]string{"guard", "--client-id=" + client}, args...)...)
	return s, g
}

// verify asks a guard about a token and returns the status.
func verify(t *testing.T, g *apptest.Process, token string) int {
	t.Helper()
	request, err := http.NewRequest("GET", g.URL+"/verify", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return apptest.Send(t, request).Status
}

func TestGuardCommand(t *testing.T) {
	t.Parallel()
	s, g := guarded(t, server, serverSecret, "--require-scope=openid")
	token := s.Token(demo, demoSecret)
	if got := verify(t, g, token); got != 200 {
		t.Errorf("an active token: %d", got)
	}
	if got := apptest.Get(t, g.OpsURL+"/readyz"); got.Status != 200 {
		t.Errorf("not ready: %s", got.Body)
	}
	s.Post("/revoke", demo, demoSecret, "token="+token)
	apptest.Eventually(t, time.Second, "the token is refused", func() bool { return verify(t, g, token) == 401 })
	g.Signal(syscall.SIGTERM)
	if state := g.Ended(5 * time.Second); state.ExitCode() != 0 {
		t.Errorf("it ended with status %d: %s", state.ExitCode(), g.Stderr.String())
	}
	if log := g.Stderr.String(); strings.Contains(log, token) || !strings.Contains(log, `"msg":"refused","status":401`) {
		t.Errorf("the log: %s", log)
	}
}

// A guard for one service refuses tokens for others, and asks for nonces if it is told to.
func TestGuardWithRestrictions(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, g := guarded(t, server, serverSecret, "--resource=https://invoices.example", "--origin=https://invoices.example", "--trusted-proxies=127.0.0.1", "--dpop-nonce-key-file="+key)
	signer := apptest.NewSigner(t, "EdDSA", "")
	token := apptest.Send(t, signer.TokenRequest(s.URL, demo, demoSecret)).Text("access_token")
	verify := func(nonce any) apptest.Answer {
		request, err := http.NewRequest("GET", g.URL+"/verify", nil)
		if err != nil {
			t.Fatal(err)
		}
		claims := apptest.ProofClaims("GET", "https://invoices.example/a").With(apptest.Claims{"ath": apptest.TokenHash(token), "nonce": nonce})
		for name, value := range map[string]string{"Authorization": "DPoP " + token, "DPoP": signer.Proof(claims), "X-Original-Method": "GET", "X-Original-URI": "/a?b"} {
			request.Header.Set(name, value)
		}
		return apptest.Send(t, request)
	}
	first := verify(nil)
	if first.Status != 401 || !strings.Contains(first.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Errorf("without a nonce: %d %v", first.Status, first.Header)
	}
	if second := verify(first.Header.Get("DPoP-Nonce")); second.Status != 200 || second.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("with the nonce: %d %v %s", second.Status, second.Header, g.Stderr.String())
	}
}

// A guard whose client is not a resource server is told so in plain words, and lets nobody in.
func TestGuardOfAClientThatIsNoResourceServer(t *testing.T) {
	t.Parallel()
	s, g := guarded(t, demo, demoSecret)
	if got := verify(t, g, s.Token(demo, demoSecret)); got != 503 {
		t.Errorf("its own token: %d", got)
	}
	if got := apptest.Get(t, g.OpsURL+"/readyz"); got.Status != 503 || !strings.Contains(got.Body, "not registered as a resource server") {
		t.Errorf("ready: %d %s", got.Status, got.Body)
	}
	if log := g.Stderr.String(); !strings.Contains(log, "not registered as a resource server") || !strings.Contains(log, "chit client update "+demo+" --resource-server") {
		t.Errorf("the log: %s", log)
	}
}

func TestGuardWithWrongSettings(t *testing.T) {
	t.Parallel()
	got := apptest.Chit(t, nil, "guard", "--issuer=auth", "--address=http://a/b", "--upstream=x", "--listen=y", "--require-scope=\"", "--tls-ca=/nowhere", "--max-tokens=0", "--client-secret-file=/nowhere", "--log-level=loud",
		"--resource=api", "--origin=https://a/b", "--trusted-proxies=0.0.0.0/0", "--dpop-nonce-key-file=/nowhere")
	for _, setting := range []string{"RESOURCE", "ORIGIN", "TRUSTED_PROXIES", "DPOP_NONCE_KEY_FILE", "ISSUER", "ADDRESS", "UPSTREAM", "LISTEN", "REQUIRE_SCOPE", "TLS_CA", "MAX_TOKENS", "CLIENT_SECRET_FILE", "LOG_LEVEL", "CLIENT_ID"} {
		if !strings.Contains(got.Stderr, "CHIT_GUARD_"+setting+": ") {
			t.Errorf("%s is missing in: %s", setting, got.Stderr)
		}
	}
	if got.Status != 2 {
		t.Errorf("status %d", got.Status)
	}
	short := apptest.Chit(t, []string{"CHIT_GUARD_DPOP_NONCE_KEY=0123456789", "CHIT_GUARD_CLIENT_SECRET=x"}, "guard", "--issuer=http://localhost", "--client-id=a")
	if short.Status != 2 || short.Stderr != "chit: CHIT_GUARD_DPOP_NONCE_KEY: has 10 characters: it must have 32 at least\n" {
		t.Errorf("%d %s", short.Status, short.Stderr)
	}
}
