package pages_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"chit/app/apptest"
)

// The overview tells of a clock that is wrong.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	s := apptest.On(t, apptest.Database(t), &apptest.Redis{URL: "redis://" + mini.Addr()})
	v := operator(t, s, "alice", "chit:admin")
	v.get(200, "/")
	v.sees(`<span class="badge good">OK</span> <strong>Clock</strong> <span>agrees with that of the database and that of Redis`)
	for off, want := range map[time.Duration]string{
		-10 * time.Minute: `<span class="badge failed">Failed</span> <strong>Clock</strong> <span>is 10m0s ahead of that of Redis`,
		20 * time.Second:  `<span class="badge warning">Look</span> <strong>Clock</strong> <span>is 20s behind that of Redis`,
	} {
		apptest.Eventually(t, 10*time.Second, want, func() bool {
			mini.SetTime(time.Now().Add(off))
			v.get(200, "/")
			return strings.Contains(v.page.Body, want)
		})
	}
}

// The overview tells of a certificate that ends soon. Cookies are for TLS alone.
func TestCertificate(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	for name, row := range map[string]struct {
		lifetime time.Duration
		want     string
	}{
		"long":  {100 * 24 * time.Hour, `<span class="badge good">OK</span> <strong>Certificate</strong> <span>expires on`},
		"short": {13 * 24 * time.Hour, `<span class="badge warning">Look</span> <strong>Certificate</strong> <span>expires on`},
	} {
		t.Run(name, func(t *testing.T) {
			own := ca.IssueUntil(time.Now().Add(row.lifetime), "127.0.0.1")
			s := apptest.Embedded(t, "--ops-tls-cert="+own.Cert, "--ops-tls-key="+own.Key)
			add(s, "alice", "chit:admin")
			v := visit(t, s)
			transport := &http.Transport{TLSClientConfig: ca.Trust()}
			t.Cleanup(transport.CloseIdleConnections)
			v.http.Transport = transport
			v.login("alice")
			v.is(200)
			v.sees(row.want)
			if v.cookie("__Host-chit_session") == "" || v.cookie("chit_session") != "" {
				t.Error("the cookie of the session has the wrong name")
			}
		})
	}
}
