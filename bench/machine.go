package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"chit/bench/report"
	"chit/bench/stack"
)

// machine describes the machine of the measurements.
func machine(ctx context.Context) []report.Fact {
	return []report.Fact{
		{Name: "processor", Text: fmt.Sprintf("%d × %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"))},
		{Name: "memory", Text: field("/proc/meminfo", "MemTotal")},
		{Name: "system", Text: runtime.GOOS + " " + runtime.GOARCH + ", " + firstLine(ctx, "uname", "-r")},
		{Name: "Go", Text: runtime.Version()},
		{Name: "Redis", Text: firstLine(ctx, "redis-server", "--version")},
		{Name: "PostgreSQL", Text: firstLine(ctx, stack.PostgreSQL(), "--version")},
		{Name: "wrk", Text: firstLine(ctx, "wrk", "--version")},
	}
}

// field returns the value after a name and a colon in a file of /proc.
func field(path, name string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(content)) {
		if found, value, _ := strings.Cut(line, ":"); strings.TrimSpace(found) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// firstLine returns the first line that a program prints. It ignores the exit status, because wrk --version
// fails.
func firstLine(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" {
		return "unknown"
	}
	return line
}

// commit describes the state of the sources.
func commit(ctx context.Context) string {
	return firstLine(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
}

func commandLine() string {
	return strings.Join(append([]string{"go run ."}, os.Args[1:]...), " ")
}

// write writes the page and, if requested, the single measurements.
func (r *runCommand) write(page report.Page, all []report.Measurement, rows []report.Row) error {
	file, err := os.Create(r.HTML)
	if err != nil {
		return err
	}
	if err := errors.Join(page.Write(file, rows), file.Close()); err != nil {
		return err
	}
	say("plots are in %s", r.HTML)
	if r.JSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(struct {
		report.Page
		Measurements []report.Measurement `json:"measurements"`
	}{page, all}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(r.JSON, append(text, '\n'), 0o644)
}
