package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Two releases from clones in different places are the same. The program names its version, its commit and the
// date, and the archive has what it should.
func TestReleasesAreReproducible(t *testing.T) {
	tool(t, "git")
	if runtime.GOOS != "linux" {
		t.Skip("GNU tar and date are needed: skipped")
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	var sums []string
	for _, place := range []string{t.TempDir(), filepath.Join(t.TempDir(), "another place")} {
		if err := run(exec.Command("git", "clone", "-q", root, place)); err != nil {
			t.Fatal(err)
		}
		build := exec.Command("deploy/release", "v0.0.1-test", platform)
		build.Dir = place
		build.Env = append(os.Environ(), "TZ="+map[bool]string{true: "Asia/Tokyo", false: "UTC"}[len(sums) == 0])
		if err := run(build); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, read(t, filepath.Join(place, "dist/SHA256SUMS")))
		name := "chit_v0.0.1-test_" + runtime.GOOS + "_" + runtime.GOARCH
		isRelease(t, filepath.Join(place, "dist"), name)
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 2 {
		t.Errorf("the checksums are\n%s and\n%s", sums[0], sums[1])
	}
}

func isRelease(t *testing.T, dist, name string) {
	t.Helper()
	check := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = dist
	if err := run(check); err != nil {
		t.Error(err)
	}
	if err := run(exec.Command("tar", "-xzf", filepath.Join(dist, name+".tar.gz"), "-C", dist)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"chit", "README.md", "chit.service"} {
		if _, err := os.Stat(filepath.Join(dist, name, file)); err != nil {
			t.Error(err)
		}
	}
	log := exec.Command("git", "-C", root, "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%H of %cd")
	log.Env = append(os.Environ(), "TZ=UTC")
	commit, err := log.Output()
	if err != nil {
		t.Fatal(err)
	}
	version := exec.Command(filepath.Join(dist, name, "chit"), "version")
	out, err := version.Output()
	want := "chit v0.0.1-test " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ", commit " + strings.TrimSpace(string(commit)) + "\n"
	if err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
	list := read(t, filepath.Join(dist, name+".cdx.json"))
	for _, part := range []string{`"bomFormat": "CycloneDX"`, "pkg:golang/github.com/redis/go-redis/v9@", "pkg:golang/gorm.io/gorm@"} {
		if !strings.Contains(list, part) {
			t.Errorf("the list of modules lacks %s", part)
		}
	}
}
