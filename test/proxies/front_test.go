package proxies

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

// A certificate that nginx or HAProxy has asked for authenticates a client, and a header from outside does not.
func TestCertificatesThroughAProxy(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, s *setup, upstream string, own apptest.Certificate, ca string){
		"nginx": func(t *testing.T, s *setup, upstream string, own apptest.Certificate, _ string) {
			site := strings.NewReplacer("10.0.0.1:8080", upstream, "\tserver 10.0.0.2:8080 max_fails=1 fail_timeout=1s;\n", "", "listen 443 ssl", "ssl_verify_client optional_no_ca;\n\tlisten "+s.address+" ssl",
				"/etc/ssl/auth.example.com.pem", own.Cert, "/etc/ssl/private/auth.example.com.key", own.Key).Replace(block(t, "nginx"))
			s.startNginx(site)
		},
		"haproxy": func(t *testing.T, s *setup, upstream string, own apptest.Certificate, ca string) {
			s.startHAProxy(upstream, own, ca)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, ca := apptest.NewAuthority(t).Issue("127.0.0.1"), apptest.NewAuthority(t)
			env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_TRUSTED_PROXIES=127.0.0.1", "CHIT_TLS_CLIENT_CA=" + ca.File}
			apptest.Psql(t, strings.TrimPrefix(env[0], "CHIT_DATABASE_URL="), `INSERT INTO oauth_client (client_id, token_endpoint_auth_method, tls_client_auth_subject_dn) VALUES ('job', 'tls_client_auth', 'CN=job.example')`)
			node := apptest.StartChit(t, env)
			s := &setup{t: t, dir: t.TempDir(), address: apptest.FreeAddress(t)}
			start(t, s, strings.TrimPrefix(node.URL, "http://"), own, ca.File)
			right, other, stranger := ca.Issue("job.example"), ca.Issue("other.example"), apptest.NewAuthority(t).Issue("job.example")
			spoofed := ":" + base64.StdEncoding.EncodeToString(right.Load(t).Leaf.Raw) + ":"
			for _, row := range []struct {
				name        string
				certificate *apptest.Certificate
				header      string
				want        int
			}{
				{"its certificate", &right, "", 200},
				{"its certificate and a header", &right, "x", 200},
				{"another certificate", &other, "", 401},
				{"another certificate and its header", &other, spoofed, 401},
				{"the certificate of a stranger", &stranger, "", 401},
				{"the certificate of a stranger and its header", &stranger, spoofed, 401},
				{"none", nil, "", 401},
				{"none and its header", nil, spoofed, 401},
			} {
				if answer := s.tokenBy(row.certificate, row.header); answer.Status != row.want {
					t.Errorf("%s: %d %s", row.name, answer.Status, answer.Body)
				}
			}
		})
	}
}

// tokenBy asks for a token of the client job through the proxy.
func (s *setup) tokenBy(certificate *apptest.Certificate, header string) apptest.Answer {
	s.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.Load(s.t)}
	}
	request, err := http.NewRequest("POST", "https://"+s.address+"/token", strings.NewReader("grant_type=client_credentials&client_id=job"))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if header != "" {
		request.Header["Client-Cert"] = []string{header}
		request.Header["Client-Cert-Chain"] = []string{header}
	}
	return apptest.SendBy(s.t, &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, request)
}

// startNginx starts nginx with a site.
func (s *setup) startNginx(site string) {
	s.start(apptest.Program(s.t, "nginx", "nginx"), "-e", filepath.Join(s.dir, "error.log"), "-p", s.dir, "-c", s.file("nginx.conf", "daemon off;\npid "+s.dir+"/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_body_temp_path "+s.dir+"/body;\nproxy_temp_path "+s.dir+"/proxy;\nfastcgi_temp_path "+s.dir+"/fastcgi;\nuwsgi_temp_path "+s.dir+"/uwsgi;\nscgi_temp_path "+s.dir+"/scgi;\n"+site+"}\n"))
}

// startHAProxy starts HAProxy with the configuration of the repository, and asks for certificates as docs/proxies.md
// says.
func (s *setup) startHAProxy(upstream string, own apptest.Certificate, ca string) {
	s.t.Helper()
	config, err := os.ReadFile("../../deploy/haproxy/haproxy.cfg")
	if err != nil {
		s.t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		s.t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^bind :8443 .*\n(http-request .*)\n`).FindStringSubmatch(string(document))
	if lines == nil {
		s.t.Fatal("docs/proxies.md has no rules for certificates")
	}
	var pair []byte
	for _, file := range []string{own.Cert, own.Key} {
		content, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		pair = append(pair, content...)
	}
	bind, _, _ := strings.Cut(lines[0], "\n")
	bind = strings.NewReplacer("/run/secrets/tls_certificate", s.file("pair.pem", string(pair)), "/run/secrets/client_ca", ca, ":8443", s.address).Replace(bind)
	text := regexp.MustCompile(`(?m)^\tbind :8443 .*$`).ReplaceAllLiteralString(string(config), "\t"+bind)
	text = strings.Replace(text, "\thttp-request del-header Client-Cert-Chain\n", "\thttp-request del-header Client-Cert-Chain\n\t"+lines[1]+"\n", 1)
	text = regexp.MustCompile(`(?m)^\tserver-template .*$`).ReplaceAllLiteralString(text, "\tserver one "+upstream)
	text = strings.NewReplacer(" resolvers docker init-addr none", "", "127.0.0.1:8404", apptest.FreeAddress(s.t)).Replace(text)
	text = regexp.MustCompile(`(?s)# The name server of the network.*?\n\n`).ReplaceAllLiteralString(text, "")
	s.start(apptest.Program(s.t, "haproxy", "haproxy"), "-db", "-f", s.file("haproxy.cfg", text))
}

// block returns the block of docs/proxies.md in this language.
func block(t *testing.T, language string) string {
	t.Helper()
	document, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(document), "```"+language+"\n")
	text, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatalf("docs/proxies.md has no block in %s", language)
	}
	return text
}

// Two nodes behind nginx, as docs/proxies.md says: clients have their own addresses, a stream is not held back, and
// no request is lost while the nodes restart.
func TestNginxInFront(t *testing.T) {
	t.Parallel()
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_AUDIT_LOG=-", "CHIT_TRUSTED_PROXIES=127.0.0.1", "CHIT_SHUTDOWN_DELAY=1s"}
	secret := apptest.Create(t, env, "job", "--resource-server").ClientSecret
	addresses := []string{apptest.FreeAddress(t), apptest.FreeAddress(t)}
	nodes := make([]*apptest.Process, 2)
	for i, address := range addresses {
		nodes[i] = apptest.StartChit(t, append(env, "CHIT_LISTEN="+address))
	}
	certificate := apptest.NewAuthority(t).Issue("127.0.0.1")
	s := &setup{t: t, dir: t.TempDir(), address: apptest.FreeAddress(t)}
	site := strings.NewReplacer("10.0.0.1:8080", addresses[0], "10.0.0.2:8080", addresses[1], "listen 443 ssl", "listen "+s.address+" ssl",
		"/etc/ssl/auth.example.com.pem", certificate.Cert, "/etc/ssl/private/auth.example.com.key", certificate.Key).Replace(block(t, "nginx"))
	s.startNginx(site)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	ask := func() (status int, err error) {
		request, err := http.NewRequest("POST", "https://"+s.address+"/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("X-Forwarded-For", "203.0.113.9")
		request.SetBasicAuth("job", secret)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	if status, err := ask(); status != 200 || err != nil {
		t.Fatalf("%d %v", status, err)
	}
	apptest.Eventually(t, 5*time.Second, "the address of the client is in a log", func() bool {
		return strings.Contains(nodes[0].Stderr.String()+nodes[1].Stderr.String(), `"remote":"203.0.113.9"`)
	})
	apptest.ReceiveBy(t, transport, "https://"+s.address, "job", secret).Quiet(2)
	losesNothing(t, ask, func() {
		for i := range nodes { // one after the other
			nodes[i].Signal(syscall.SIGTERM)
			nodes[i].Ended(20 * time.Second)
			nodes[i] = apptest.StartChit(t, append(env, "CHIT_LISTEN="+addresses[i]))
			time.Sleep(2 * time.Second) // longer than fail_timeout
		}
	})
}

// losesNothing makes requests while something happens. All of them must succeed.
func losesNothing(t *testing.T, ask func() (int, error), happen func()) {
	t.Helper()
	over, ended := make(chan struct{}), make(chan struct{})
	requests := 0
	go func() {
		defer close(ended)
		for ; ; requests++ {
			select {
			case <-over:
				return
			default:
			}
			if status, err := ask(); status != 200 || err != nil {
				t.Errorf("request %d: %d %v", requests, status, err)
			}
		}
	}()
	happen()
	close(over)
	<-ended
	if requests < 100 {
		t.Errorf("only %d requests", requests)
	}
}
