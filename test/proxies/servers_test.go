package proxies

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	path := apptest.Program(t, "nginx", "nginx")
	s := newSetup(t, false)
	include := s.write("nginx.md", "nginx", "site.conf")
	s.start(path, "-e", filepath.Join(s.dir, "error.log"), "-p", s.dir, "-c", s.file("nginx.conf", `
daemon off;
pid `+s.dir+`/nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path `+s.dir+`/body;
	proxy_temp_path `+s.dir+`/proxy;
	fastcgi_temp_path `+s.dir+`/fastcgi;
	uwsgi_temp_path `+s.dir+`/uwsgi;
	scgi_temp_path `+s.dir+`/scgi;
	include `+include+`;
}`))
	s.test()
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
