package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker if Go's build information does not have the commit, as in a container image.
var version string

type versionCommand struct{}

func (*versionCommand) Help() string { return "Example:\n\n  chit version" }

// Run prints the version of the binary.
func (*versionCommand) Run(c *console) error {
	info, found := debug.ReadBuildInfo()
	if !found {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintf(c.out, "chit %s %s %s/%s\n", cmp.Or(version, info.Main.Version, "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
