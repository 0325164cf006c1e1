package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// secured returns the flags for a certificate on both listeners.
func secured(own apptest.Certificate) []string {
	return []string{"--tls-cert=" + own.Cert, "--tls-key=" + own.Key, "--ops-tls-cert=" + own.Cert, "--ops-tls-key=" + own.Key}
}

// presented connects to the host of a URL and returns its certificate.
func presented(t *testing.T, url string, config *tls.Config) (*x509.Certificate, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), config)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func presentedName(t *testing.T, url string, config *tls.Config) string {
	t.Helper()
	certificate, err := presented(t, url, config)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.DNSNames[0]
}

func TestBothListenersSpeakTLS(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	s := apptest.Embedded(t, secured(ca.Issue("127.0.0.1"))...)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: ca.Trust(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for _, url := range []string{s.URL + "/healthz", s.OpsURL + "/metrics"} {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if !strings.HasPrefix(url, "https://") || response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
			t.Errorf("%s: %s %s", url, response.Proto, response.Status)
		}
		if response, err := http.Get("http" + strings.TrimPrefix(url, "https")); err != nil {
			t.Error(err)
		} else if response.Body.Close(); response.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", response.Status)
		}
	}
	request, err := http.NewRequest(http.MethodPost, s.URL+"/token", strings.NewReader(tokenPlease))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(demo, demoSecret)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Errorf("a token: %s", response.Status)
	}
}

func TestNoTLSBelow12(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	s := apptest.Embedded(t, secured(ca.Issue("127.0.0.1"))...)
	for _, url := range []string{s.URL, s.OpsURL} {
		for version, taken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			config := ca.Trust()
			config.MinVersion, config.MaxVersion = version, version
			_, err := presented(t, url, config)
			refused := err != nil && strings.Contains(err.Error(), "remote error: tls: protocol version not supported")
			if taken && err != nil || !taken && !refused {
				t.Errorf("%s: %v", tls.VersionName(version), err)
			}
		}
	}
}

// A new certificate is in use within two seconds, however its files are replaced.
func TestCertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	dir := t.TempDir()
	first := ca.Issue("127.0.0.1", "first.example.com")
	own := mounted(t, dir, first)
	s := apptest.Embedded(t, secured(own)...)
	now := func(url string) string { return presentedName(t, url, ca.Trust()) }
	becomes := func(name string) {
		t.Helper()
		for _, url := range []string{s.URL, s.OpsURL} {
			apptest.Eventually(t, 2*time.Second, name, func() bool { return now(url) == name })
		}
	}
	becomes("first.example.com")
	for _, name := range []string{"second.example.com", "third.example.com"} {
		publish(t, dir, ca.Issue("127.0.0.1", name))
		becomes(name)
	}

	// If the files do not fit together or are missing, the old certificate stays in use.
	stranger := ca.Issue("127.0.0.1", "fourth.example.com")
	publish(t, dir, apptest.Certificate{Cert: stranger.Cert, Key: first.Key})
	const warning = "the changed certificate cannot be used"
	warned := func(times int) func() bool {
		return func() bool { return now(s.URL) == "third.example.com" && strings.Count(s.Log(), warning) >= times }
	}
	apptest.Eventually(t, 3*time.Second, "a warning", warned(1))
	time.Sleep(2100 * time.Millisecond)
	if now(s.URL) == "" || strings.Count(s.Log(), warning) != 1 {
		t.Errorf("the same fault is told %d times:\n%s", strings.Count(s.Log(), warning), s.Log())
	}
	if err := os.Remove(filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, 3*time.Second, "another warning", warned(2))
	publish(t, dir, stranger)
	becomes("fourth.example.com")
}

// mounted puts a certificate into dir as Kubernetes does. The files are links into ..data, which is a link
// itself.
func mounted(t *testing.T, dir string, first apptest.Certificate) apptest.Certificate {
	t.Helper()
	publish(t, dir, first)
	own := apptest.Certificate{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	if err := errors.Join(os.Symlink("..data/cert.pem", own.Cert), os.Symlink("..data/key.pem", own.Key)); err != nil {
		t.Fatal(err)
	}
	return own
}

// publish replaces the certificate behind ..data in one step, as Kubernetes does.
func publish(t *testing.T, dir string, own apptest.Certificate) {
	t.Helper()
	version, err := os.MkdirTemp(dir, "..version-")
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{own.Cert: "cert.pem", own.Key: "key.pem"} {
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(version, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	draft := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(filepath.Base(version), draft), os.Rename(draft, filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
}

func TestHealthOfAServerWithTLS(t *testing.T) {
	t.Parallel()
	own := apptest.NewAuthority(t).Issue("auth.example.com") // and not 127.0.0.1
	env := []string{"CHIT_TLS_CERT=" + own.Cert, "CHIT_TLS_KEY=" + own.Key}
	p := apptest.StartChit(t, env, "--shutdown-delay=1m")
	address, secure := strings.CutPrefix(p.URL, "https://")
	if !secure || strings.HasPrefix(p.OpsURL, "https:") {
		t.Errorf("%s, %s", p.URL, p.OpsURL)
	}
	apptest.Chit(t, append(env, "CHIT_LISTEN="+address), "health").Succeeds(t, address+" is ready")
	apptest.Chit(t, nil, "health", "--listen", address, "--tls-cert", own.Cert).Succeeds(t, address+" is ready")
	apptest.Chit(t, []string{"CHIT_LISTEN=" + address}, "health").Fails(t, address+" is not ready: it answers 400, and not as Chit does: is it another server?")
	p.Signal(syscall.SIGTERM)
	apptest.Eventually(t, 5*time.Second, "it stops", func() bool {
		return apptest.Chit(t, env, "health", "--listen", address).Stderr == "chit: "+address+" is not ready: stopping\n"
	})
}

func TestWelcomeOfAServerWithTLS(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	own := apptest.NewAuthority(t).Issue("localhost")
	p := apptest.StartChit(t, nil, secured(own)...)
	var lines []string
	apptest.Eventually(t, 5*time.Second, "the welcome", func() bool { return strings.Contains(p.Stdout.String(), "redis-cli") })
	for line := range strings.Lines(p.Stdout.String()) {
		if command, indented := strings.CutPrefix(line, "  "); indented {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	out := apptest.Paste(t, bash, lines[0]+"\n"+lines[1], lines[2], lines[3], lines[2])
	if !strings.HasPrefix(out[1], `{"active":true,`) || out[3] != `{"active":false}` {
		t.Errorf("%q", out)
	}
}

func TestBadCertificateSettingsAreAllReported(t *testing.T) {
	ca := apptest.NewAuthority(t)
	one, other := ca.Issue("one"), ca.Issue("other")
	missing, empty := filepath.Join(t.TempDir(), "missing"), apptest.File(t, "")
	for _, row := range []struct {
		name     string
		settings []string
		want     []string
	}{
		{"certificates alone", []string{"CHIT_TLS_CERT", one.Cert, "CHIT_OPS_TLS_CERT", one.Cert}, []string{
			"CHIT_TLS_KEY: is not set, but CHIT_TLS_CERT is: set both, or neither for a listener without TLS",
			"CHIT_OPS_TLS_KEY: is not set, but CHIT_OPS_TLS_CERT is: set both, or neither for a listener without TLS",
		}},
		{"key alone", []string{"CHIT_TLS_KEY", one.Key}, []string{"CHIT_TLS_CERT: is not set, but CHIT_TLS_KEY is: set both, or neither for a listener without TLS"}},
		{"files missing", []string{"CHIT_TLS_CERT", missing, "CHIT_TLS_KEY", missing, "CHIT_LOG_LEVEL", "LOUD"}, []string{
			`CHIT_LOG_LEVEL: "LOUD" is none of debug, info, warn, error`,
			"CHIT_TLS_CERT: cannot be read: open " + missing + ": no such file or directory",
			"CHIT_TLS_KEY: cannot be read: open " + missing + ": no such file or directory",
		}},
		{"file empty", []string{"CHIT_OPS_TLS_CERT", empty, "CHIT_OPS_TLS_KEY", one.Key}, []string{"CHIT_OPS_TLS_CERT: and CHIT_OPS_TLS_KEY cannot be used: tls: failed to find any PEM data in certificate input"}},
		{"of different pairs", []string{"CHIT_TLS_CERT", one.Cert, "CHIT_TLS_KEY", other.Key}, []string{"CHIT_TLS_CERT: and CHIT_TLS_KEY cannot be used: tls: private key does not match public key"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := configure(t, row.settings...)
			if want := strings.Join(row.want, "\n"); err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}
