package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	file, err := os.Open(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed.Warnings) > 0 {
		t.Errorf("warnings: %+v", parsed.Warnings)
	}
	found, arguments, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || len(arguments) > 0 {
		t.Fatalf("%d stages, %d arguments", len(found), len(arguments))
	}
	return found
}

// only returns the single instruction of this kind in the stage.
func only[T instructions.Command](t *testing.T, stage instructions.Stage) T {
	t.Helper()
	found := all[T](stage)
	if len(found) != 1 {
		t.Fatalf("%d instructions %T in the stage %q", len(found), *new(T), stage.BaseName)
	}
	return found[0]
}

func all[T instructions.Command](stage instructions.Stage) []T {
	var found []T
	for _, command := range stage.Commands {
		if c, ok := command.(T); ok {
			found = append(found, c)
		}
	}
	return found
}

// buildLine is the command that builds the server.
func buildLine(t *testing.T) string {
	t.Helper()
	runs := all[*instructions.RunCommand](stages(t)[0])
	return strings.Join(runs[len(runs)-1].CmdLine, " ")
}

func TestBuildStage(t *testing.T) {
	build := stages(t)[0]
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(root, "go.mod")))
	if want := "golang:" + version[1]; build.BaseName != want {
		t.Errorf("from %s, want %s, as in go.mod", build.BaseName, want)
	}
	for _, want := range []string{"CGO_ENABLED=0 ", "-trimpath", `-ldflags "-s -w -X chit/app.version=`, "-o /chit "} {
		if !strings.Contains(buildLine(t), want) {
			t.Errorf("%s: no %s", buildLine(t), want)
		}
	}
	// If only the sources change, the modules are not downloaded again.
	var steps []string
	for _, command := range build.Commands {
		switch c := command.(type) {
		case *instructions.CopyCommand:
			steps = append(steps, "copy "+strings.Join(c.SourcePaths, " "))
		case *instructions.RunCommand:
			steps = append(steps, strings.Join(c.CmdLine, " "))
		}
	}
	if want := []string{"copy go.mod go.sum", "go mod download", "copy .", buildLine(t)}; !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

func TestFinalStage(t *testing.T) {
	build, final := stages(t)[0], stages(t)[1]
	if final.BaseName != "scratch" {
		t.Errorf("from %s", final.BaseName)
	}
	copied := map[string]string{}
	for _, c := range all[*instructions.CopyCommand](final) {
		if c.From != build.Name || len(c.SourcePaths) != 1 {
			t.Errorf("%v is not from the build", c)
			continue
		}
		copied[c.SourcePaths[0]] = c.DestPath
	}
	if len(copied) != 2 || copied["/chit"] != "/chit" || copied["/etc/ssl/certs/ca-certificates.crt"] != "/etc/ssl/certs/" {
		t.Errorf("copies %v", copied)
	}
	if user := only[*instructions.UserCommand](t, final).User; user != "65532:65532" {
		t.Errorf("user %q: it needs a number, because scratch has no names, and Kubernetes can tell that it is not root", user)
	}
	if ports := only[*instructions.ExposeCommand](t, final).Ports; !slices.Equal(ports, []string{"8080"}) {
		t.Errorf("exposes %v", ports)
	}
	if entry := only[*instructions.EntrypointCommand](t, final); entry.PrependShell || !slices.Equal(entry.CmdLine, []string{"/chit"}) {
		t.Errorf("entry point %v: scratch has no shell", entry)
	}
	if check := only[*instructions.HealthCheckCommand](t, final).Health; !slices.Equal(check.Test, []string{"CMD", "/chit", "health"}) || !slices.Equal(check.Test, service(t, "chit").HealthCheck.Test) {
		t.Errorf("health check %v", check.Test)
	}
}
