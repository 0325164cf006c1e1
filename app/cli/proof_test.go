package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"chit/app/apptest"
	"chit/guard"
)

// The commands of docs/operations.md get a token that is bound to a key, and use it at a service with a guard.
func TestProofsByHand(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```bash\n(chit client keygen .*?)^```$").FindSubmatch(document)
	if block == nil {
		t.Fatal("there is no block")
	}
	address := apptest.FreeAddress(t)
	s := apptest.StartChit(t, []string{"CHIT_LISTEN=" + address, "CHIT_ISSUER=http://" + address})
	g, err := guard.New(guard.Config{Issuer: s.URL, ClientID: server, ClientSecret: serverSecret})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	service := httptest.NewServer(g.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := guard.FromContext(r.Context())
		fmt.Fprint(w, "bound: ", len(token.Key) == 43)
	})))
	defer service.Close()
	text := strings.NewReplacer("https://payments.example.com", service.URL, "settlement-job", demo).Replace(string(block[1]))
	cmd := exec.Command(apptest.Tool(t, "bash"), "-euo", "pipefail", "-c", text)
	template := apptest.ChitCommand(t, nil)
	cmd.Dir, cmd.ExtraFiles = t.TempDir(), template.ExtraFiles
	cmd.Env = append(template.Env, "URL="+s.URL, "SECRET="+demoSecret)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "bound: true") {
		t.Errorf("%v: %s", err, out)
	}
}
