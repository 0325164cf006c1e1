// Package stack starts what a benchmark needs on free ports of 127.0.0.1: PostgreSQL, Redis, chit, and the
// servers it is compared with. It needs Linux.
package stack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Server is one of the servers that are measured.
type Server struct {
	Name string
	URL  string

	process *process
}

// Stack has everything that runs.
type Stack struct {
	Dir         string // directory of its files, which Stop deletes
	DatabaseURL string
	RedisURL    string
	Redis       *redis.Client

	Chit, Floor, Ceiling *Server
	Before               *Server // chit of another commit

	settings  []string // of chit, NAME=value
	processes []*process
}

// New starts PostgreSQL and Redis and builds the servers. The result must be stopped even if there is an
// error.
func New(ctx context.Context, settings []string) (*Stack, error) {
	dir, err := os.MkdirTemp("", "chit-bench-")
	if err != nil {
		return &Stack{}, err
	}
	s := &Stack{Dir: dir, settings: settings}
	// PostgreSQL may run as another user, who must be able to enter its directory.
	if err := os.Chmod(dir, 0o711); err != nil {
		return s, err
	}
	for _, step := range []func(context.Context) error{s.build, s.startRedis, s.startPostgreSQL} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Stop stops everything in reverse order.
func (s *Stack) Stop() error {
	for _, p := range slices.Backward(s.processes) {
		p.end()
	}
	if s.Redis != nil {
		s.Redis.Close()
	}
	return os.RemoveAll(s.Dir)
}

// StartChit starts chit with default settings, except for those given to New.
func (s *Stack) StartChit(ctx context.Context) (err error) {
	s.Chit, err = s.startChit(ctx, "chit")
	return err
}

// StartBefore starts chit of another commit on the same PostgreSQL and Redis. Chit must have started before,
// so that it has applied its schema.
func (s *Stack) StartBefore(ctx context.Context, commit string) error {
	if err := s.buildCommit(ctx, commit, "before"); err != nil {
		return err
	}
	var err error
	s.Before, err = s.startChit(ctx, "before")
	return err
}

func (s *Stack) startChit(ctx context.Context, name string) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ops, err := freeAddress()
	if err != nil {
		return nil, err
	}
	// SIGINT, because after SIGTERM it waits for load balancers.
	return s.serve(ctx, address, "/readyz", program{
		path: s.program(name), stop: syscall.SIGINT,
		env: append([]string{"CHIT_LISTEN=" + address, "CHIT_OPS_LISTEN=" + ops}, s.chitSettings()...),
	})
}

func (s *Stack) chitSettings() []string {
	return append([]string{"CHIT_DATABASE_URL=" + s.DatabaseURL, "CHIT_REDIS_URL=" + s.RedisURL}, s.settings...)
}

// RunChit runs a command of chit and returns its output.
func (s *Stack) RunChit(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.program("chit"), args...)
	cmd.Dir, cmd.Env = s.Dir, environment(s.chitSettings()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("chit %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// StartFloor starts the floor. Clients are "id:secret id:secret".
func (s *Stack) StartFloor(ctx context.Context, clients string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.Floor, err = s.serve(ctx, address, "/healthz", program{
		path: s.program("floor"), stop: syscall.SIGTERM,
		env: []string{"LISTEN=" + address, "REDIS_URL=" + s.RedisURL, "CLIENTS=" + clients},
	})
	return err
}

// StartCeiling starts the ceiling.
func (s *Stack) StartCeiling(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.Ceiling, err = s.serve(ctx, address, "/", program{
		path: s.program("ceiling"), stop: syscall.SIGTERM, env: []string{"LISTEN=" + address},
	})
	return err
}

func (s *Stack) serve(ctx context.Context, address, health string, p program) (*Server, error) {
	server := &Server{Name: filepath.Base(p.path), URL: "http://" + address}
	err := s.start(ctx, p, func(ctx context.Context) error { return get(ctx, server.URL+health) })
	if err != nil {
		return nil, err
	}
	server.process = s.processes[len(s.processes)-1]
	return server, nil
}

func (s *Stack) start(ctx context.Context, p program, check func(context.Context) error) error {
	started, err := start(ctx, s.Dir, p, check)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, started)
	return nil
}

func (s *Stack) program(name string) string { return filepath.Join(s.Dir, name) }

// EmptyLog deletes the output of the server. At tens of thousands of lines a second it would fill the disk.
func (s *Server) EmptyLog() error { return os.Truncate(s.process.log, 0) }

// Log returns the last lines of the server's output.
func (s *Server) Log() string { return s.process.tail(5) }

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only the status matters
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return nil
}
