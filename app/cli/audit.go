package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"os"
	"os/user"
	"strconv"

	"chit/app"
	"chit/audit"
)

// auditFlag is the flag of all commands that change something.
type auditFlag struct {
	AuditLog     string `name:"audit-log" env:"CHIT_AUDIT_LOG" placeholder:"PATH" help:"File to append a line of JSON to for each change; - is standard error (default: the system log, if there is one)."`
	app.Auditing `embed:""`
}

// check returns a fault if the file cannot be written to. Commands call it before they change anything.
func (f auditFlag) check() error {
	if err := f.Auditing.Check(); err != nil {
		return err
	}
	if f.AuditLog == "" || f.AuditLog == "-" {
		return nil
	}
	file, err := f.open()
	if err != nil {
		return app.Fault("CHIT_AUDIT_LOG", "cannot be written to: %v", err)
	}
	return file.Close()
}

func (f auditFlag) open() (*os.File, error) {
	return os.OpenFile(f.AuditLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// trail returns the function that writes a line of the audit trail, and keeps its event with shared unless that
// is nil. If a line cannot be written, the command fails at its end.
func (f auditFlag) trail(c *console, shared *audit.Shared) func(context.Context, slog.Record) {
	return func(ctx context.Context, record slog.Record) {
		var line bytes.Buffer
		err := slog.NewJSONHandler(&line, nil).Handle(ctx, record)
		if err == nil {
			err = f.write(c, line.Bytes())
		}
		if err == nil && shared != nil {
			event := audit.FromRecord(record)
			event.Node = app.NodeName()
			err = shared.Write(ctx, event)
		}
		if err != nil {
			*c.unnoted = fmt.Errorf("the change is made, but not noted in the audit log: %w", err)
		}
	}
}

func (f auditFlag) write(c *console, line []byte) error {
	switch f.AuditLog {
	case "":
		system, err := syslog.New(syslog.LOG_AUTH|syslog.LOG_INFO, "chit")
		if err != nil {
			return nil // there is no system log, for example in a container
		}
		defer system.Close()
		return system.Info(string(line))
	case "-":
		_, err := c.err.Write(line)
		return err
	}
	file, err := f.open()
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	return errors.Join(err, file.Close())
}

// systemUser returns the name of the system user that runs the command.
func systemUser() string {
	name := "uid " + strconv.Itoa(os.Getuid())
	if found, err := user.Current(); err == nil {
		name = cmp.Or(found.Username, name)
	}
	if by := os.Getenv("SUDO_USER"); by != "" {
		return name + ", by sudo of " + by
	}
	return name
}
