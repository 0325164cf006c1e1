package proxies

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
)

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
	path := apptest.Program(t, "nginx", "nginx")
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
	s.start(path, "-e", filepath.Join(s.dir, "error.log"), "-p", s.dir, "-c", s.file("nginx.conf", "daemon off;\npid "+s.dir+"/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_body_temp_path "+s.dir+"/body;\nproxy_temp_path "+s.dir+"/proxy;\nfastcgi_temp_path "+s.dir+"/fastcgi;\nuwsgi_temp_path "+s.dir+"/uwsgi;\nscgi_temp_path "+s.dir+"/scgi;\n"+site+"}\n"))
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
