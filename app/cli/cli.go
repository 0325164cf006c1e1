// Package cli is the command line: one file for each group of commands.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgconn"
)

// Exit statuses of the commands.
const (
	exitFailure = 1
	exitUsage   = 2
)

// commands is the grammar of the command line.
type commands struct {
	Serve      serveCommand      `cmd:"" default:"withargs" help:"Run the server (the default)."`
	Guard      guardCommand      `cmd:"" help:"Check tokens for a service or a proxy."`
	Client     clientCommands    `cmd:"" help:"Register, change, disable and delete clients."`
	Token      tokenCommands     `cmd:"" help:"List, inspect and revoke tokens."`
	Migrate    migrateCommands   `cmd:"" help:"Bring the database schema up to date."`
	HashSecret hashSecretCommand `cmd:"" help:"Print the client_secret_hash of a secret."`
	Health     healthCommand     `cmd:"" help:"Ask the server on this machine whether it is ready."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// console has the input and output of a command.
type console struct {
	context.Context
	in       *os.File
	out, err io.Writer
	unnoted  *error // why a change is missing from the audit log
}

// usageError is a wrong use of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs the command line of this process and exits.
func Main() {
	for _, variable := range os.Environ() {
		// Compose files and shells set variables to an empty text if they have no value.
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "CHIT_") && value == "" {
			os.Unsetenv(name)
		}
	}
	os.Exit(run(os.Args[1:], &console{Context: context.Background(), in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run runs one command and returns the exit status.
func run(args []string, c *console) int {
	parser, err := kong.New(&commands{},
		kong.Name("chit"),
		kong.Description("Chit is an OAuth 2.0 authorization server for machines: client credentials in, opaque access tokens out.\n\nWithout a command it serves. `chit help COMMAND` shows the flags of a command. The settings are those of `chit help serve`; each is a flag and an environment variable."),
		kong.Writers(c.out, c.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return c.fail(err)
	}
	parsed, err := parser.Parse(spelledOut(args))
	if err != nil {
		return c.fail(usageError{withoutSecrets(err)})
	}
	out := &checkedOutput{Writer: c.out}
	c.out, c.unnoted = out, new(error)
	err = parsed.Run(c)
	err = errors.Join(err, *c.unnoted)
	if err == nil && out.err != nil {
		err = fmt.Errorf("the command has done its work, but the output could not be written: %w", out.err)
	}
	if err != nil {
		return c.fail(err)
	}
	return 0
}

// spelledOut replaces other common forms for help and version: "chit help client create" and "chit
// --version".
func spelledOut(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

// notAWord matches parts of an error that may be a token or a secret in the wrong place.
var notAWord = regexp.MustCompile(`(unexpected argument) ([^\s,]*[^a-z\s,-][^\s,]*|[^\s,]{20,})|[0-9A-Za-z-]{1,32}_[A-Z2-7]{59}`)

// withoutSecrets returns an error of the command line parser without parts that may be a secret.
func withoutSecrets(err error) error {
	return errors.New(notAWord.ReplaceAllString(err.Error(), "$1 (not shown, because it may be a secret)"))
}

// failTimeout is how long fail waits while its output is not read.
const failTimeout = time.Second

// fail prints err on one line, or as a list if it has several lines, and returns the exit status. The
// process ends even if nobody reads the output.
func (c *console) fail(err error) int {
	lines := strings.Split(strings.TrimSpace(explain(err)), "\n")
	message := "chit: " + lines[0] + "\n"
	if len(lines) > 1 {
		message = fmt.Sprintf("chit: %d things are wrong:\n  %s\n", len(lines), strings.Join(lines, "\n  "))
	}
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		_, _ = io.WriteString(c.err, message) // the exit status still reports the failure
	}()
	select {
	case <-printed:
	case <-time.After(failTimeout):
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}

// explain replaces some errors of libraries with what an operator can do.
func explain(err error) string {
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		switch {
		case postgres.Code == "42P01" && strings.Contains(postgres.Message, `"oauth_client"`):
			return "the database has no table oauth_client: run `chit migrate up`"
		case postgres.Code == "42P01", postgres.Code == "42703":
			return "the database lacks a migration: run `chit migrate up`"
		}
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		// The error has one line for each attempt. There may be several hosts, and each is tried with and
		// without TLS.
		tries := strings.FieldsFunc(connect.Error(), func(r rune) bool { return r == '\n' || r == '\t' })
		return "cannot reach the database: " + strings.Join(slices.Compact(tries), " ")
	}
	return err.Error()
}
