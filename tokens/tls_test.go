package tokens_test

import (
	"crypto/tls"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chit/app/apptest"
	"chit/models"
	"chit/tokens"
)

// With every form of URL, the certificate of a server is checked against the server's own address.
func TestEveryFormOfURLChecksCertificates(t *testing.T) {
	ca := apptest.NewAuthority(t)
	own := ca.Issue("client")
	query := url.Values{"sslrootcert": {ca.File}, "sslcert": {own.Cert}, "sslkey": {own.Key}}.Encode()
	for form, name := range map[string]string{
		"rediss://one:6379?" + query:                               "one",
		"rediss://one:6379?addr=two:6379&" + query:                 "",
		"rediss://one:26379?master_name=m&addr=two:26379&" + query: "",
	} {
		client, err := tokens.Connect(form)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var config *tls.Config
		switch client := client.(type) {
		case *redis.Client:
			config = client.Options().TLSConfig
		case *redis.ClusterClient:
			config = client.Options().TLSConfig
		}
		if config == nil || config.MinVersion != tls.VersionTLS12 || config.RootCAs == nil || config.InsecureSkipVerify || config.GetClientCertificate == nil {
			t.Errorf("%s: %+v", form, config)
		} else if config.ServerName != name {
			t.Errorf("%s: certificates are to hold %q", form, config.ServerName)
		}
	}
}

func TestClusterNodesAreCheckedByTheirOwnAddress(t *testing.T) {
	t.Parallel()
	ca := apptest.NewAuthority(t)
	node, secure := apptest.StartSecureRedis(t, ca, ca.Issue("127.0.0.1"), "--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")
	node.CLI("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	address := strings.TrimPrefix(secure, "rediss://")
	// No certificate in this test has the first name.
	form := "rediss://" + strings.Replace(address, "127.0.0.1", "localhost", 1) + "?addr=" + address + "&sslrootcert=" + url.QueryEscape(ca.File)
	client, err := tokens.Connect(form)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store := &tokens.Store{Redis: client, Prefix: "chit", Now: time.Now}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		token, _, err := store.Issue(t.Context(), models.Grant{ClientID: "billing-job", TTL: time.Minute})
		if err == nil {
			_, err = store.Find(t.Context(), token)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestBadTLSParameters(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	ca := apptest.NewAuthority(t)
	one, other := ca.Issue("one"), ca.Issue("other")
	for query, want := range map[string]string{
		"rediss://r?sslrootcert=" + missing:                           "names an sslrootcert that cannot be read: open " + missing + ": no such file or directory",
		"rediss://r?sslrootcert=" + one.Key:                           "names an sslrootcert without a certificate in it: " + one.Key,
		"rediss://r?sslcert=" + one.Cert:                              "names one of sslcert and sslkey: name both",
		"rediss://r?sslkey=" + one.Key:                                "names one of sslcert and sslkey: name both",
		"rediss://r?sslcert=" + one.Cert + "&sslkey=" + other.Key:     "names an sslcert and sslkey that cannot be used: tls: private key does not match public key",
		"redis://r?sslrootcert=" + ca.File:                            "names sslrootcert, which is for rediss:// alone",
		"redis://r?addr=s&sslcert=" + one.Cert + "&sslkey=" + one.Key: "names sslcert, which is for rediss:// alone",
	} {
		client, err := tokens.Connect(query)
		if err == nil {
			client.Close()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", query, err)
		}
	}
}
