package cli

import (
	"fmt"
	"runtime"

	"chit/app"
)

type versionCommand struct{}

func (*versionCommand) Help() string { return "Example:\n\n  chit version" }

// Run prints the version of the binary.
func (*versionCommand) Run(c *console) error {
	_, err := fmt.Fprintf(c.out, "chit %s %s %s/%s\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
