package app

import (
	"cmp"
	"runtime/debug"
)

// version is set by the linker if Go's build information does not have the commit, as in a container image.
var version string

// Version returns the version of this binary.
func Version() string {
	info, found := debug.ReadBuildInfo()
	if !found {
		info = &debug.BuildInfo{}
	}
	return cmp.Or(version, info.Main.Version, "(unknown)")
}
