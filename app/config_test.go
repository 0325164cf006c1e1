package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chit/app"
	"chit/app/apptest"
)

// Valid URLs of servers that no test connects to.
const (
	aDatabase = "postgres://chit:" + apptest.Password + "@db:5432/chit"
	aRedis    = "redis://:" + apptest.Password + "@redis:6379/0"
)

// configure reads only the given settings from the environment: NAME value NAME value …
func configure(t *testing.T, settings ...string) (app.Config, error) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "CHIT_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for pair := range slices.Chunk(settings, 2) {
		t.Setenv(pair[0], pair[1])
	}
	return app.ParseConfig()
}

// Each row lists all faults that are reported, in this order.
func TestBadSettingsAreAllReported(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	empty, blank, good := apptest.File(t, ""), apptest.File(t, " \n"), apptest.File(t, aDatabase)
	for _, row := range []struct {
		name     string
		settings []string
		want     []string
	}{
		{"database alone", []string{"CHIT_DATABASE_URL", aDatabase}, []string{"CHIT_REDIS_URL: is not set, but CHIT_DATABASE_URL is: set both, or neither for the embedded mode"}},
		{"Redis alone", []string{"CHIT_REDIS_URL", aRedis}, []string{"CHIT_DATABASE_URL: is not set, but CHIT_REDIS_URL is: set both, or neither for the embedded mode"}},
		{"half by file", []string{"CHIT_DATABASE_URL_FILE", good}, []string{"CHIT_REDIS_URL: is not set, but CHIT_DATABASE_URL is: set both, or neither for the embedded mode"}},

		{"other database", []string{"CHIT_DATABASE_URL", "mysql://chit:" + apptest.Password + "@db/chit", "CHIT_REDIS_URL", aRedis}, []string{"CHIT_DATABASE_URL: must begin with postgres://"}},
		{"database by keywords", []string{"CHIT_DATABASE_URL", "host=db password=" + apptest.Password, "CHIT_REDIS_URL", aRedis}, []string{"CHIT_DATABASE_URL: must begin with postgres://"}},
		{"other Redis", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", "http://:" + apptest.Password + "@redis"}, []string{"CHIT_REDIS_URL: must begin with redis:// or rediss://"}},
		{"no Redis database", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", aRedis + "x"}, []string{"CHIT_REDIS_URL: must end with the number of a database, or with none"}},
		{"unknown Redis option", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", aRedis + "?colour=red"}, []string{"CHIT_REDIS_URL: unexpected option: colour"}},

		{"clients without a secret", []string{
			"CHIT_ASSERTION_MAX_LIFETIME", "48h", "CHIT_JWKS_PRIVATE", "yes", "CHIT_DPOP_NONCE", "1", "CHIT_JWKS_CA", empty, "CHIT_TLS_CLIENT_CA", missing, "CHIT_MTLS_LISTEN", "0.0.0.0:8443", "CHIT_MTLS_URL", "mtls.example.com",
		}, []string{
			"CHIT_ASSERTION_MAX_LIFETIME: 48h0m0s is too long: the most is 24h0m0s",
			`CHIT_JWKS_PRIVATE: "yes" is neither on nor off`,
			`CHIT_DPOP_NONCE: "1" is neither on nor off`,
			"CHIT_JWKS_CA: has no certificate in PEM: " + empty,
			"CHIT_TLS_CLIENT_CA: cannot be read: open " + missing + ": no such file or directory",
			"CHIT_MTLS_LISTEN: needs CHIT_TLS_CERT and CHIT_TLS_KEY: without TLS there are no certificates",
			`CHIT_MTLS_LISTEN: "0.0.0.0:8443" can be reached from other machines, which the embedded mode never is: listen on 127.0.0.1`,
			`CHIT_MTLS_URL: "mtls.example.com" is not an http(s) URL without query and fragment: write https://mtls.example.com`,
		}},

		{"file missing", []string{"CHIT_DATABASE_URL_FILE", missing, "CHIT_REDIS_URL", aRedis}, []string{"CHIT_DATABASE_URL_FILE: cannot be read: open " + missing + ": no such file or directory"}},
		{"file empty", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL_FILE", empty}, []string{"CHIT_REDIS_URL_FILE: names an empty file: " + empty}},
		{"file blank", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL_FILE", blank}, []string{"CHIT_REDIS_URL_FILE: names an empty file: " + blank}},
		{"value and file", []string{"CHIT_DATABASE_URL", aDatabase, "CHIT_DATABASE_URL_FILE", good, "CHIT_REDIS_URL", aRedis}, []string{"CHIT_DATABASE_URL: and CHIT_DATABASE_URL_FILE are both set: keep one"}},
		{"both files missing is not the embedded mode", []string{"CHIT_DATABASE_URL_FILE", missing, "CHIT_REDIS_URL_FILE", missing, "CHIT_LISTEN", ":8080"}, []string{
			"CHIT_DATABASE_URL_FILE: cannot be read: open " + missing + ": no such file or directory",
			"CHIT_REDIS_URL_FILE: cannot be read: open " + missing + ": no such file or directory",
		}},

		{"listeners without a port", []string{"CHIT_LISTEN", "127.0.0.1", "CHIT_OPS_LISTEN", ""}, []string{
			`CHIT_LISTEN: "127.0.0.1" is not an address: write 127.0.0.1:8080 or :8080`,
			`CHIT_OPS_LISTEN: "" is not an address: write 127.0.0.1:8081`,
		}},
		{"issuer of another scheme", []string{"CHIT_ISSUER", "ftp://auth.example.com"}, []string{`CHIT_ISSUER: "ftp://auth.example.com" is not an http(s) URL without query and fragment: write https://auth.example.com`}},
		{"issuer with a query", []string{"CHIT_ISSUER", "https://auth.example.com?a=b"}, []string{`CHIT_ISSUER: "https://auth.example.com?a=b" is not an http(s) URL without query and fragment: write https://auth.example.com`}},
		{"issuer with a fragment", []string{"CHIT_ISSUER", "https://auth.example.com#"}, []string{`CHIT_ISSUER: "https://auth.example.com#" is not an http(s) URL without query and fragment: write https://auth.example.com`}},
		{"issuer without a host", []string{"CHIT_ISSUER", "https:///auth"}, []string{`CHIT_ISSUER: "https:///auth" is not an http(s) URL without query and fragment: write https://auth.example.com`}},
		{"prefix with an underscore", []string{"CHIT_TOKEN_PREFIX", "my_app"}, []string{`CHIT_TOKEN_PREFIX: "my_app" is not 1 to 31 letters, digits and hyphens`}},
		{"prefix empty", []string{"CHIT_TOKEN_PREFIX", ""}, []string{`CHIT_TOKEN_PREFIX: "" is not 1 to 31 letters, digits and hyphens`}},
		{"prefix long", []string{"CHIT_TOKEN_PREFIX", strings.Repeat("a", 32)}, []string{`CHIT_TOKEN_PREFIX: "` + strings.Repeat("a", 32) + `" is not 1 to 31 letters, digits and hyphens`}},
		{"lifetime without a unit", []string{"CHIT_TOKEN_TTL", "3600"}, []string{`CHIT_TOKEN_TTL: "3600" is not a duration: write 90s, 15m or 1h`}},
		{"lifetime zero", []string{"CHIT_TOKEN_TTL", "0s"}, []string{"CHIT_TOKEN_TTL: 0s is too short: the least is 1s"}},
		{"lifetime in fractions", []string{"CHIT_TOKEN_TTL", "1.5s"}, []string{"CHIT_TOKEN_TTL: 1.5s is not in whole seconds"}},
		{"throttling", []string{"CHIT_THROTTLE_CLIENT", "-1", "CHIT_THROTTLE_ADDRESS", "many", "CHIT_TRUSTED_PROXIES", "10.0.0.1,proxy"}, []string{
			`CHIT_THROTTLE_CLIENT: "-1" is not a number: write 100, or 0 for no limit`,
			`CHIT_THROTTLE_ADDRESS: "many" is not a number: write 100, or 0 for no limit`,
			`CHIT_TRUSTED_PROXIES: "proxy" is not an address or a range: write 10.1.2.3 or 10.1.0.0/16`,
		}},
		{"everyone a proxy", []string{"CHIT_TRUSTED_PROXIES", "10.0.0.1, ::/0"}, []string{`CHIT_TRUSTED_PROXIES: "::/0" is everyone, who could then claim any address: name the proxies`}},
		{"everything at once", []string{
			"CHIT_DATABASE_URL", "x", "CHIT_REDIS_URL", "y", "CHIT_LISTEN", "x", "CHIT_MIGRATE", "maybe", "CHIT_LOG_FORMAT", "xml", "CHIT_LOG_LEVEL", "LOUD",
			"CHIT_TOKEN_TTL", "soon", "CHIT_REQUEST_TIMEOUT", "0s", "CHIT_SHUTDOWN_DELAY", "-1s", "CHIT_SHUTDOWN_TIMEOUT", "never",
		}, []string{
			"CHIT_DATABASE_URL: must begin with postgres://",
			"CHIT_REDIS_URL: must begin with redis:// or rediss://",
			`CHIT_LISTEN: "x" is not an address: write 127.0.0.1:8080 or :8080`,
			`CHIT_MIGRATE: "maybe" is neither on nor off`,
			`CHIT_LOG_FORMAT: "xml" is neither json nor text`,
			`CHIT_LOG_LEVEL: "LOUD" is none of debug, info, warn, error`,
			`CHIT_TOKEN_TTL: "soon" is not a duration: write 90s, 15m or 1h`,
			"CHIT_REQUEST_TIMEOUT: 0s is too short: the least is 1ms",
			"CHIT_SHUTDOWN_DELAY: -1s is too short: the least is 0s",
			`CHIT_SHUTDOWN_TIMEOUT: "never" is not a duration: write 90s, 15m or 1h`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := configure(t, row.settings...)
			if want := strings.Join(row.want, "\n"); err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

// The embedded mode only listens on loopback, because the secrets of the demo clients are public.
func TestEmbeddedModeListensOnLoopbackAlone(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.2:0": true, "localhost:8080": true, "[::1]:8080": true,
		"0.0.0.0:8080": false, ":8080": false, "[::]:8080": false, "192.168.1.5:8080": false, "[fe80::1]:8080": false,
		"example.com:8080": false, "127.0.0.1.example.com:8080": false, "[::ffff:192.168.1.5]:8080": false,
	} {
		t.Run(address, func(t *testing.T) {
			_, err := configure(t, "CHIT_LISTEN", address)
			if allowed && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !allowed && (err == nil || !strings.Contains(err.Error(), "can be reached from other machines")) {
				t.Errorf("allowed: %v", err)
			}
			if _, err := configure(t, "CHIT_LISTEN", address, "CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", aRedis); err != nil {
				t.Errorf("with real stores it may listen where it likes: %v", err)
			}
		})
	}
}

// If a URL is malformed, nobody can say which part is the password, so no part may be repeated.
func TestMalformedURLsAreNeverRepeated(t *testing.T) {
	for setting, urls := range map[string][]string{
		"CHIT_DATABASE_URL": {
			"postgres://chit:" + apptest.Password + "@db:port/chit", "postgres://chit:%zz" + apptest.Password + "@db/chit", "postgres://chit:" + apptest.Password + "@[::1/chit",
			"postgres://chit:p@" + apptest.Password + "@db:port/chit", "postgres://chit:p/" + apptest.Password + "@db/chit", "postgres://chit:a b" + apptest.Password + "@db/chit",
			"postgres://db/chit?password=" + apptest.Password + "&sslmode=perhaps", "postgres://chit:%zz@" + apptest.Password + ":x@db/chit",
			"postgres://chit:p`: " + apptest.Password + "@db:port/chit", "postgres://chit:" + apptest.Password + "@db/chit?connect_timeout=soon",
		},
		"CHIT_REDIS_URL": {
			"redis://:" + apptest.Password + "@redis:port", "redis://:%zz" + apptest.Password + "@redis", "redis://:" + apptest.Password, "redis://:" + apptest.Password + "@[::1",
			"redis://:" + apptest.Password + "@redis/zero", "redis://:" + apptest.Password + "@redis?read_timeout=soon", "redis://u:p/" + apptest.Password + "@redis",
			"redis://:" + apptest.Password + "@redis?master_name=chit&addr=1:2:3",
		},
	} {
		for _, url := range urls {
			t.Run(setting+" "+url, func(t *testing.T) {
				other := map[string][]string{"CHIT_DATABASE_URL": {"CHIT_REDIS_URL", aRedis}, "CHIT_REDIS_URL": {"CHIT_DATABASE_URL", aDatabase}}[setting]
				_, err := configure(t, append(other, setting, url)...)
				if err == nil || !strings.HasPrefix(err.Error(), setting+": ") || strings.Contains(err.Error(), "\n") {
					t.Fatalf("not one fault of %s: %v", setting, err)
				}
				if strings.Contains(err.Error(), apptest.Password) {
					t.Errorf("the password is in the message: %v", err)
				}
			})
		}
	}
}

func TestURLFormsThatAreTaken(t *testing.T) {
	for _, url := range []string{
		"postgres://chit@db/chit", "postgresql://chit:p%40ss@db:5432/chit?sslmode=verify-full", "postgres://chit@db1:5432,db2:5433/chit?target_session_attrs=read-write",
		"postgres://chit@db1,db2/chit", "postgres://chit@[::1]:5432/chit", "postgres://chit@/chit?host=/run/postgresql",
	} {
		if _, err := configure(t, "CHIT_DATABASE_URL", url, "CHIT_REDIS_URL", aRedis); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"redis://redis", "redis://redis:6379/3", "rediss://chit:p%40ss@redis:6380", "redis://[::1]:6379", "redis://redis?read_timeout=300ms&pool_size=20",
		"redis://s1:26379?master_name=chit&addr=s2:26379&addr=s3:26379", "redis://n1:6379?addr=n2:6379&addr=n3:6379",
	} {
		if _, err := configure(t, "CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestURLsFromFilesLoseTheirLineBreak(t *testing.T) {
	config, err := configure(t, "CHIT_DATABASE_URL_FILE", apptest.File(t, aDatabase+"\n"), "CHIT_REDIS_URL_FILE", apptest.File(t, aRedis+"\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if config.DatabaseURL != aDatabase || config.RedisURL != aRedis || config.Embedded() {
		t.Errorf("%q, %q", config.DatabaseURL, config.RedisURL)
	}
}

func TestDefaultsDependOnTheMode(t *testing.T) {
	embedded, err := configure(t)
	if err != nil {
		t.Fatal(err)
	}
	if !embedded.Embedded() || embedded.Listen != "127.0.0.1:8080" || embedded.LogFormat != "text" {
		t.Errorf("embedded: %+v", embedded)
	}
	real, err := configure(t, "CHIT_DATABASE_URL", aDatabase, "CHIT_REDIS_URL", aRedis)
	if err != nil {
		t.Fatal(err)
	}
	if real.Embedded() || real.Listen != ":8080" || real.LogFormat != "json" {
		t.Errorf("real: %s %s", real.Listen, real.LogFormat)
	}
	for _, config := range []app.Config{embedded, real} {
		if config.OpsListen != "127.0.0.1:8081" || config.Issuer != "http://localhost:8080" || config.TokenTTL.Duration != time.Hour || config.TokenPrefix != "chit" {
			t.Errorf("%+v", config)
		}
	}
}

func TestFlagsWinOverVariables(t *testing.T) {
	t.Setenv("CHIT_TOKEN_TTL", "60s")
	config, err := app.ParseConfig("--token-ttl=90s")
	if err != nil || config.TokenTTL.Duration != 90*time.Second {
		t.Errorf("%v, %v", config.TokenTTL, err)
	}
}
