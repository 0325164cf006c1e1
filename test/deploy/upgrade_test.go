package deploy_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load are clients that ask for tokens and introspect them, through the proxy, until stop.
type load struct {
	requests, failures atomic.Int64
	first              atomic.Pointer[error]
	ended              chan struct{}
	clients            sync.WaitGroup
}

func (e *engine) load(secret string) *load {
	l := &load{ended: make(chan struct{})}
	for range 4 {
		l.clients.Go(func() {
			for {
				select {
				case <-l.ended:
					return
				default:
				}
				token, err := e.token("job", secret)
				if err == nil {
					err = e.active("job", secret, token)
				}
				l.requests.Add(2)
				if err != nil {
					l.failures.Add(1)
					l.first.CompareAndSwap(nil, &err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return l
}

func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.ended)
	l.clients.Wait()
	if l.failures.Load() > 0 {
		t.Errorf("%d of %d requests were lost, the first one by %v", l.failures.Load(), l.requests.Load(), *l.first.Load())
	}
	if l.requests.Load() < 100 {
		t.Errorf("only %d requests were made", l.requests.Load())
	}
	t.Logf("%d requests", l.requests.Load())
}

// scaleAndUpgrade scales chit to three containers and replaces them by those of another image, as docs/upgrades.md
// says. No request is lost.
func (e *engine) scaleAndUpgrade(secret string) {
	e.t.Helper()
	load := e.load(secret)
	e.compose("up", "-d", "--no-recreate", "--scale", "chit=3")
	e.healthy("chit", 3)

	e.env = append(e.env, "CHIT_VERSION=upgraded")
	recipe := exec.Command("bash", "-euc", strings.ReplaceAll(upgradeRecipe(e.t), "docker compose", "docker-compose "+strings.Join(e.base, " ")))
	recipe.Env, recipe.Dir = e.env, e.dir
	if err := run(recipe); err != nil {
		e.t.Errorf("the upgrade: %v", err)
	}
	e.healthy("chit", 3)
	time.Sleep(time.Second) // requests after the end, too
	load.stop(e.t)
	for _, container := range e.containers("chit") {
		if out, err := e.command("docker", "exec", container, "/chit", "version").Output(); err != nil || !strings.HasPrefix(string(out), "chit upgraded ") {
			e.t.Errorf("%s: %s, %v", container, out, err)
		}
	}
}

// upgradeRecipe returns the block of docs/upgrades.md that replaces the containers.
func upgradeRecipe(t *testing.T) string {
	t.Helper()
	_, after, _ := strings.Cut(read(t, filepath.Join(root, "docs/upgrades.md")), "## With Compose")
	_, after, _ = strings.Cut(after, "```bash\n")
	block, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("docs/upgrades.md has no recipe for Compose")
	}
	return block
}
