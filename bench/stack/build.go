package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build compiles Chit and the servers it is compared with, in the way of the README.
func (s *Stack) build(ctx context.Context) error {
	module, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(module), "module chit/bench\n") {
		return errors.New("run this in the directory bench, as it builds Chit from the one above")
	}
	for _, target := range []struct{ dir, pkg, program string }{
		{"..", ".", "chit"}, {".", "./floor", "floor"}, {".", "./ceiling", "ceiling"},
	} {
		if err := s.run(ctx, target.dir, "go", "build", "-o", s.program(target.program), target.pkg); err != nil {
			return err
		}
	}
	return nil
}

// buildCommit compiles chit of another commit, in a clone of the repository.
func (s *Stack) buildCommit(ctx context.Context, commit, name string) error {
	clone := filepath.Join(s.Dir, name+"-source")
	for _, step := range [][]string{
		{"..", "git", "clone", "--quiet", "--no-checkout", ".", clone},
		{clone, "git", "checkout", "--quiet", "--detach", commit},
		{clone, "go", "build", "-o", s.program(name), "."},
	} {
		if err := s.run(ctx, step[0], step[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) run(ctx context.Context, dir string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, environment("CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}
