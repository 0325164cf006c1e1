package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker where Go's own build information cannot name the commit, as in an image.
var version string

type versionCommand struct{}

func (*versionCommand) Help() string { return "Example:\n\n  chit version" }

// Run prints the version that the binary was built as.
func (*versionCommand) Run(c *console) error {
	info, found := debug.ReadBuildInfo()
	if !found {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintf(c.out, "chit %s %s %s/%s\n", cmp.Or(version, info.Main.Version, "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
