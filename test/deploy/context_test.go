package deploy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func ignored(t *testing.T) *patternmatcher.PatternMatcher {
	t.Helper()
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, filepath.Join(root, ".dockerignore"))))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return matcher
}

func TestTheBuildNeverSees(t *testing.T) {
	for _, path := range []string{
		".git/config", ".git/objects/pack/pack-1.pack", ".git/logs/HEAD", "secrets/redis_password", ".env", ".env.production", "chit", "chit.db", "chit.db-wal", "chit.db.redis",
		"bench/main.go", "docs/protocol.md", "test/deploy/go.mod", "docker-compose.yml",
	} {
		if found, err := ignored(t).MatchesOrParentMatches(path); err != nil || !found {
			t.Errorf("%s is in the build's context (%v)", path, err)
		}
	}
}

// buildContext returns a copy of the files that an engine would send to the build.
func buildContext(t *testing.T) string {
	t.Helper()
	directory, matcher := t.TempDir(), ignored(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil || relative == "." {
			return err
		}
		skip, err := matcher.MatchesOrParentMatches(filepath.ToSlash(relative))
		if err != nil {
			return err
		}
		switch {
		case skip && entry.IsDir():
			return fs.SkipDir
		case skip:
			return nil
		case entry.IsDir():
			return os.Mkdir(filepath.Join(directory, relative), 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(directory, relative), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return directory
}
