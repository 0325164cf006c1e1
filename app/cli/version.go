package cli

import (
	"fmt"
	"runtime"

	"chit/app"
)

type versionCommand struct{}

func (*versionCommand) Help() string { return "Example:\n\n  chit version" }

// Run prints the version of the binary, and the commit with its date if they are known.
func (*versionCommand) Run(c *console) error {
	build := app.BuildOf()
	line := fmt.Sprintf("chit %s %s %s/%s", build.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if build.Commit != "" {
		line += ", commit " + build.Commit
	}
	if build.Date != "" {
		line += " of " + build.Date
	}
	_, err := fmt.Fprintln(c.out, line)
	return err
}
