package app_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chit/app/apptest"
	"chit/models"
)

// fleet are nodes of two versions behind a load balancer, which asks each for /readyz.
type fleet struct {
	*testing.T
	env    []string
	signer *apptest.Signer // of proofs, which nodes of the previous version ignore

	mu    sync.Mutex
	ready []*apptest.Process // that the load balancer uses
	all   []*apptest.Process

	sent   atomic.Int64
	failed atomic.Pointer[string] // the first request that failed
}

// lastStep returns the file of the last step of the schema.
func lastStep(t *testing.T) string {
	t.Helper()
	steps, err := filepath.Glob("../migrations/postgres/*.sql")
	if err != nil || len(steps) == 0 {
		t.Fatalf("%v, %v", steps, err)
	}
	return slices.Max(steps)
}

// previousVersion builds the version of the repository before the last step of the schema.
func previousVersion(t *testing.T) string {
	t.Helper()
	git := apptest.Tool(t, "git")
	added, err := exec.Command(git, "log", "-1", "--diff-filter=A", "--format=%H", "--", lastStep(t)).Output()
	commit := strings.TrimSpace(string(added)) + "~1"
	if err != nil || exec.Command(git, "cat-file", "-e", commit).Run() != nil {
		t.Skip("the history of the repository is not there: skipped")
	}
	clone, program := t.TempDir(), t.TempDir()+"/chit-before"
	for _, command := range [][]string{
		{"..", git, "clone", "--quiet", "--no-checkout", ".", clone},
		{clone, git, "checkout", "--quiet", "--detach", commit},
		{clone, "go", "build", "-o", program, "."},
	} {
		cmd := exec.Command(command[1], command[2:]...)
		cmd.Dir = command[0]
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	return program
}

// onPreviousSchema returns a database without the last step of the schema.
func onPreviousSchema(t *testing.T) string {
	t.Helper()
	database := apptest.Migrated(t)
	text, err := os.ReadFile(lastStep(t))
	if err != nil {
		t.Fatal(err)
	}
	_, down, found := strings.Cut(string(text), "-- +goose Down")
	version := regexp.MustCompile(`^0*(\d+)_`).FindStringSubmatch(filepath.Base(lastStep(t)))
	if !found || version == nil {
		t.Fatalf("%s has no way back", lastStep(t))
	}
	apptest.Psql(t, database, down+"; DELETE FROM goose_db_version WHERE version_id = "+version[1])
	return database
}

// start starts a node and waits until the load balancer uses it.
func (f *fleet) start(program string) *apptest.Process {
	f.Helper()
	cmd := apptest.ChitCommand(f, append(slices.Clone(apptest.AnyPort), f.env...), "serve", "--migrate=off", "--shutdown-delay=3s", "--request-timeout=20s")
	if program != "" {
		cmd.Path = program
	}
	node := apptest.Launch(f, cmd)
	node.Listening()
	f.mu.Lock()
	f.all = append(f.all, node)
	f.mu.Unlock()
	apptest.Eventually(f, 30*time.Second, "the node is used", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.Contains(f.ready, node)
	})
	return node
}

func (f *fleet) stop(node *apptest.Process) {
	f.Helper()
	node.Signal(syscall.SIGTERM)
	if state := node.Ended(30 * time.Second); state.ExitCode() != 0 {
		f.Errorf("%v: %s", state, node.Stderr.String())
	}
}

// balance is the load balancer. It looks at the nodes until the test ends.
func (f *fleet) balance() {
	for f.Context().Err() == nil {
		f.mu.Lock()
		all := slices.Clone(f.all)
		f.mu.Unlock()
		var ready []*apptest.Process
		for _, node := range all {
			answer, err := http.Get(node.URL + "/readyz")
			if err != nil {
				continue
			}
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				ready = append(ready, node)
			}
		}
		f.mu.Lock()
		f.ready = ready
		f.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// load gets tokens and introspects each on another node, until the test ends.
func (f *fleet) load(client *http.Client) {
	for f.Context().Err() == nil {
		token := f.request(client, "/token", tokenPlease, `"access_token":"`)
		if token != "" {
			f.request(client, "/introspect", "token="+token, `{"active":true,"client_id":"`)
		}
	}
}

// request sends a request to a ready node, and returns what follows the expected text in quotes.
func (f *fleet) request(client *http.Client, path, form, want string) string {
	f.mu.Lock()
	var node *apptest.Process
	if len(f.ready) > 0 {
		node = f.ready[rand.IntN(len(f.ready))]
	}
	f.mu.Unlock()
	if node == nil {
		time.Sleep(time.Millisecond)
		return ""
	}
	request, err := http.NewRequest(http.MethodPost, node.URL+path, strings.NewReader(form))
	if err != nil {
		f.fail("%v", err)
		return ""
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("job", "s3cret")
	if path == "/token" {
		request.Header.Set("DPoP", f.signer.Proof(apptest.ProofClaims("POST", "http://localhost:8080/token")))
	}
	answer, body, err := exchange(client, request)
	f.sent.Add(1)
	_, rest, found := strings.Cut(body, want)
	if err != nil || answer.StatusCode != http.StatusOK || !found {
		f.fail("%s: %v, %s", path, err, body)
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func (f *fleet) fail(format string, args ...any) {
	if f.Context().Err() == nil {
		text := fmt.Sprintf(format, args...)
		f.failed.CompareAndSwap(nil, &text)
	}
}

// A rolling upgrade loses no request and no token, bound or not: nodes of the new version run on the previous schema, those of the
// previous version on the new one, and there is a way back.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	previous := previousVersion(t)
	database := onPreviousSchema(t)
	apptest.Psql(t, database, "INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes) VALUES ('job', '"+models.HashSecret("s3cret")+"', 'a')")
	// A busy machine may be slow. That is no lost request.
	redis := apptest.StartRedis(t).URL + "?read_timeout=10s&write_timeout=10s&dial_timeout=10s"
	f := &fleet{T: t, signer: apptest.NewSigner(t, "EdDSA", ""), env: []string{"CHIT_DATABASE_URL=" + database, "CHIT_REDIS_URL=" + redis}}
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // the context of the test ends before
	running.Go(f.balance)
	first, second := f.start(previous), f.start(previous)
	for range 4 {
		running.Go(func() { f.load(&http.Client{Transport: &http.Transport{}}) })
	}
	change := func(doing string, do func()) {
		before := f.sent.Load()
		do()
		apptest.Eventually(t, 20*time.Second, "requests after: "+doing, func() bool { return f.sent.Load() > before+200 })
		if failed := f.failed.Load(); failed != nil {
			t.Fatalf("%s: %s", doing, *failed)
		}
	}
	change("a new node on the previous schema", func() { f.stop(first); first = f.start("") })
	if !strings.Contains(first.Stderr.String(), "the database lacks migrations, and what is new in this version does not work") {
		t.Errorf("no warning: %s", first.Stderr.String())
	}
	change("the new schema with a previous node", func() {
		if up := apptest.Chit(t, f.env, "migrate", "up"); up.Status != 0 {
			t.Fatal(up.Stderr)
		}
		apptest.Psql(t, database, "UPDATE oauth_client SET allowed_resources = 'https://a.example https://b.example'")
	})
	change("the other node", func() { f.stop(second); second = f.start("") })
	change("back to the previous version", func() { f.stop(first); first = f.start(previous) })
	t.Logf("%d requests", f.sent.Load())
}

// exchange sends a request and returns the answer with its body.
func exchange(client *http.Client, request *http.Request) (*http.Response, string, error) {
	answer, err := client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}
