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
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(s.Dir, target.program), target.pkg)
		cmd.Dir, cmd.Env = target.dir, environment("CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", target.program, err, out)
		}
	}
	return nil
}
