package app

import (
	"cmp"
	"runtime/debug"
)

// The linker sets these where Go's build information lacks them, as in a release and in a container image.
var version, commit, date string

// Build says from what this binary was built.
type Build struct {
	Version string
	Commit  string // hash; empty: not known
	Date    string // of the commit, by RFC 3339; empty: not known
}

// BuildOf returns from what this binary was built.
func BuildOf() Build {
	info, found := debug.ReadBuildInfo()
	if !found {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	return Build{
		Version: cmp.Or(version, info.Main.Version, "(unknown)"),
		Commit:  cmp.Or(commit, settings["vcs.revision"]),
		Date:    cmp.Or(date, settings["vcs.time"]),
	}
}

// Version returns the version of this binary.
func Version() string { return BuildOf().Version }
