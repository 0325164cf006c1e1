package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chit/app/apptest"
)

// recipes are the sections of docs/workloads.md with their blocks.
func recipes(t *testing.T) map[string][]string {
	t.Helper()
	document, err := os.ReadFile("../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, section := range strings.Split(string(document), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
			found[title] = append(found[title], block[1])
		}
	}
	return found
}

// workload is where a recipe runs.
type workload struct {
	dir, issuer string
	env         []string
	replace     []string // pairs of a text of the recipe and that of the test
}

// platforms prepare what the workload of a recipe finds on its platform.
var platforms = map[string]func(t *testing.T, w *workload){
	"A key of its own": func(*testing.T, *workload) {},
	"Kubernetes": func(t *testing.T, w *workload) {
		key := apptest.NewSigner(t, "RS256", "EaKlM6sDxEKeVKZ9BvYNrDRVqCFtHfcHkVdtQ-1lmHo")
		cluster := apptest.NewIssuer(t, key)
		now := time.Now().Unix()
		token := key.Sign(apptest.Claims{
			"iss": cluster.URL, "sub": "system:serviceaccount:shop:billing", "aud": []string{w.issuer}, "exp": now + 3607, "iat": now, "nbf": now, "jti": "0a1b",
			"kubernetes.io": map[string]any{"namespace": "shop", "node": map[string]string{"name": "n1"}, "pod": map[string]string{"name": "billing-0"}, "serviceaccount": map[string]string{"name": "billing"}, "warnafter": now + 3607},
		})
		w.replace = []string{"https://kubernetes.example.com", cluster.URL, "/var/run/secrets/chit/token", apptest.File(t, token)}
	},
	"GitHub Actions": func(t *testing.T, w *workload) {
		key := apptest.NewSigner(t, "RS256", "cc413527-173f-5a05-976e-9c52b1d7b431")
		github := apptest.NewIssuer(t, key)
		runner := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer runner-token" || r.URL.Query().Get("api-version") != "2.0" {
				rw.WriteHeader(http.StatusForbidden)
				return
			}
			now := time.Now().Unix()
			fmt.Fprintf(rw, `{"count":900,"value":"%s"}`, key.Sign(apptest.Claims{
				"jti": "6f4762ed-0758-4ccb-808d-ee3af5d723a8", "sub": "repo:acme/shop:environment:production", "aud": r.URL.Query().Get("audience"), "iss": github.URL,
				"ref": "refs/heads/main", "repository": "acme/shop", "environment": "production", "runner_environment": "github-hosted", "nbf": now - 600, "exp": now + 300, "iat": now,
			}))
		}))
		t.Cleanup(runner.Close)
		w.env = []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN=runner-token", "ACTIONS_ID_TOKEN_REQUEST_URL=" + runner.URL + "/id?api-version=2.0"}
		w.replace = []string{"https://token.actions.githubusercontent.com", github.URL}
	},
	"SPIFFE": func(t *testing.T, w *workload) {
		key := apptest.NewSigner(t, "ES256", "C6vs25welZOx6WksNYfbMfiw9l96pMnD")
		spire := apptest.NewIssuer(t, key)
		now := time.Now().Unix()
		svid := key.Sign(apptest.Claims{"sub": "spiffe://example.org/ns/shop/sa/mail", "aud": []string{w.issuer}, "exp": now + 300, "iat": now})
		agent := "#!/bin/sh\n[ \"$*\" = \"api fetch jwt -audience " + w.issuer + "\" ] || exit 1\n" +
			"printf 'token(spiffe://example.org/ns/shop/sa/mail):\\n\\t%s\\nbundle(spiffe://example.org):\\n\\t{}\\n' " + svid + "\n"
		if err := os.WriteFile(filepath.Join(w.dir, "spire-agent"), []byte(agent), 0o700); err != nil {
			t.Fatal(err)
		}
		w.env = []string{"PATH=" + w.dir + ":" + os.Getenv("PATH")}
		w.replace = []string{"https://oidc.example.org/keys", spire.KeysURL}
	},
}

// Every recipe of docs/workloads.md ends with a token.
func TestRecipesForWorkloads(t *testing.T) {
	t.Parallel()
	bash := apptest.Tool(t, "bash")
	apptest.Program(t, "curl", "curl")
	address := apptest.FreeAddress(t)
	env := []string{"CHIT_DATABASE_URL=" + apptest.Migrated(t), "CHIT_REDIS_URL=" + apptest.StartRedis(t).URL, "CHIT_AUDIT_LOG=-"}
	apptest.StartChit(t, append(env, "CHIT_LISTEN="+address, "CHIT_ISSUER=http://"+address))
	found := recipes(t)
	for title, prepare := range platforms {
		t.Run(title, func(t *testing.T) {
			w := &workload{dir: t.TempDir(), issuer: "http://" + address}
			prepare(t, w)
			if len(found[title]) != 2 {
				t.Fatalf("%d blocks, this test knows 2", len(found[title]))
			}
			var out []byte
			for _, block := range found[title] {
				cmd := exec.CommandContext(t.Context(), bash, "-euo", "pipefail", "-c", strings.NewReplacer(append(w.replace, "https://auth.example.com", w.issuer)...).Replace(block))
				template := apptest.ChitCommand(t, env)
				cmd.Dir, cmd.ExtraFiles, cmd.Env = w.dir, template.ExtraFiles, append(template.Env, w.env...)
				var err error
				if out, err = cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, block, out)
				}
			}
			if !strings.Contains(string(out), `"access_token":"chit_`) {
				t.Errorf("no token: %s", out)
			}
		})
	}
	delete(found, "What a pattern lets in")
	if len(found) != len(platforms) {
		t.Errorf("%d sections with blocks, this test knows %d", len(found), len(platforms))
	}
}
