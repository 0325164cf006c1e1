package proxies

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// start runs a proxy until the test ends, and waits until it listens.
func (s *setup) start(path string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	log, err := os.Create(filepath.Join(s.dir, "proxy.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-ended
		if s.t.Failed() {
			for _, name := range []string{"proxy.log", "error.log"} {
				text, _ := os.ReadFile(filepath.Join(s.dir, name)) // there may be none
				s.t.Logf("%s: %s", path, text)
			}
		}
	})
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", s.address); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			s.t.Fatalf("%s has ended: %v", path, err)
		default:
		}
		if time.Since(began) > 10*time.Second {
			s.t.Fatalf("%s does not listen", path)
		}
	}
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// file writes a file to the directory of the setup and returns its path.
func (s *setup) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestNginx(t *testing.T) {
	t.Parallel()
	s := newSetup(t, false)
	s.startNginx("include " + s.write("nginx.md", "nginx", "site.conf") + ";\n")
	s.test()
}

// A token that is bound to a certificate goes with this certificate alone, and not with a header from outside.
func TestCertificateBoundTokenThroughNginx(t *testing.T) {
	t.Parallel()
	s := newSetup(t, false)
	ca := apptest.NewAuthority(t)
	own, right, other := ca.Issue("127.0.0.1"), ca.Issue("a.example"), ca.Issue("b.example")
	secured := s.address + " ssl;\n\tssl_verify_client optional_no_ca;\n\tssl_certificate " + own.Cert + ";\n\tssl_certificate_key " + own.Key
	s.startNginx("include " + s.write("nginx.md", "nginx", "site.conf", proxyAddress, secured) + ";\n")
	s.server.Exec("UPDATE oauth_client SET tls_client_certificate_bound_access_tokens = true WHERE client_id = 'reader'")
	request, err := http.NewRequest("POST", s.server.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Client-Cert": {certificateItem(t, right)}}
	request.SetBasicAuth("reader", "reader")
	token := s.server.Do(request).Text("access_token")
	for name, row := range map[string]struct {
		certificate *apptest.Certificate
		header      string
		status      int
	}{
		"its certificate": {&right, "", 200}, "its certificate and another header": {&right, certificateItem(t, other), 200},
		"another one": {&other, "", 401}, "another one and its header": {&other, certificateItem(t, right), 401},
		"none": {nil, "", 401}, "none and its header": {nil, certificateItem(t, right), 401},
	} {
		config := ca.Trust()
		if row.certificate != nil {
			config.Certificates = []tls.Certificate{row.certificate.Load(t)}
		}
		request, err := http.NewRequest("GET", "https://"+s.address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		if row.header != "" {
			request.Header.Set("Client-Cert", row.header)
		}
		if answer := apptest.SendBy(t, &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, request); answer.Status != row.status {
			t.Errorf("%s: %d %v", name, answer.Status, answer.Header)
		}
	}
}

// certificateItem returns a certificate as the header Client-Cert has it (RFC 9440).
func certificateItem(t *testing.T, certificate apptest.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(certificate.Load(t).Leaf.Raw) + ":"
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	path := apptest.Program(t, "caddy", "caddy")
	s := newSetup(t, false)
	site := s.write("caddy.md", "caddyfile", "site")
	s.start(path, "run", "--adapter", "caddyfile", "--config", s.file("Caddyfile", "{\n\tadmin off\n}\nimport "+site+"\n"))
	s.test()
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	path := apptest.Program(t, "haproxy", "haproxy")
	s := newSetup(t, false)
	script := s.write("haproxy.md", "lua", "chit.lua")
	s.start(path, "-db", "-f", s.write("haproxy.md", "haproxy", "haproxy.cfg", "/etc/haproxy/chit.lua", script))
	s.test()
}

func TestApacheBeforeTheGuard(t *testing.T) {
	t.Parallel()
	apache(t, true, "apache", "proxy", "proxy_http")
}

func TestApacheWithLua(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/share/lua/5.3/socket/http.lua"); err != nil {
		apptest.Missing(t, "lua-socket", "lua-socket")
	}
	apache(t, false, "apachelua", "proxy", "proxy_http", "lua")
}

// apache tests a block of the document with these modules.
func apache(t *testing.T, upstream bool, language string, modules ...string) {
	path := apptest.Program(t, "apache2", "apache2")
	s := newSetup(t, upstream)
	text := "ServerRoot " + s.dir + "\nServerName localhost\nListen " + s.address + "\nPidFile " + s.dir + "/pid\nDefaultRuntimeDir " + s.dir +
		"\nMutex file:" + s.dir + "\nErrorLog " + s.dir + "/error.log\nUser www-data\nGroup www-data\n"
	for _, module := range append([]string{"mpm_event", "authz_core"}, modules...) {
		text += "LoadModule " + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n"
	}
	var script string
	if !upstream {
		script = s.write("apache.md", "lua", "chit.lua")
		for _, dir := range []string{s.dir, filepath.Dir(s.dir)} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	include := s.write("apache.md", language, "site.conf", "/etc/apache2/chit.lua", script)
	s.start(path, "-D", "FOREGROUND", "-f", s.file("apache.conf", text+"Include "+include+"\n"))
	s.test()
}
