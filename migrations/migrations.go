// Package migrations holds the database schema as SQL files, one a step and a folder per database,
// and applies them.
package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect is a kind of database.
type Dialect string

// The databases that there are steps for.
const (
	PostgreSQL Dialect = "postgres"
	SQLite     Dialect = "sqlite"
)

func (d Dialect) goose() goose.Dialect {
	if d == SQLite {
		return goose.DialectSQLite3
	}
	return goose.DialectPostgres
}

// How often, and after what pause, a step is tried that another process may have applied meanwhile.
const (
	sqliteTries = 10
	sqlitePause = 50 * time.Millisecond
)

// Step is one step of the schema's history.
type Step struct {
	Version   int64
	Name      string    // of its file; empty: a later version of this program has applied it
	AppliedAt time.Time // zero: not yet applied
}

// Up applies the steps that db lacks and returns them. Any number of callers may do so at once: on
// PostgreSQL an advisory lock lets one work while the others wait, on SQLite the one that comes too
// late with a step looks again.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) ([]Step, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return nil, err
	}
	var applied []Step
	for tries := 1; ; tries++ {
		results, err := provider.Up(ctx)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		for _, result := range results {
			applied = append(applied, Step{Version: result.Source.Version, Name: result.Source.Path, AppliedAt: time.Now()})
		}
		if err == nil {
			return applied, nil
		}
		if dialect != SQLite || tries == sqliteTries {
			return applied, fmt.Errorf("migrate: %w", err)
		}
		select {
		case <-time.After(sqlitePause):
		case <-ctx.Done():
			return applied, ctx.Err()
		}
	}
}

// Status returns every step of this program and every other one that was applied to db, in order, with the
// instant at which it was applied.
func Status(ctx context.Context, db *sql.DB, dialect Dialect) ([]Step, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return nil, err
	}
	statuses, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	steps := make([]Step, len(statuses))
	for i, status := range statuses {
		steps[i] = Step{Version: status.Source.Version, Name: status.Source.Path, AppliedAt: status.AppliedAt}
	}
	newer, err := newerThan(ctx, db, dialect, steps[len(steps)-1].Version)
	return append(steps, newer...), err
}

// newerThan returns the steps applied to db that come after the last step of this program.
func newerThan(ctx context.Context, db *sql.DB, dialect Dialect, last int64) ([]Step, error) {
	store, err := database.NewStore(dialect.goose(), goose.DefaultTablename)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	all, err := store.ListMigrations(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	var newer []Step
	for _, recorded := range all {
		if recorded.Version <= last || !recorded.IsApplied {
			continue
		}
		details, err := store.GetMigration(ctx, db, recorded.Version)
		if err != nil {
			return nil, fmt.Errorf("migration status: %w", err)
		}
		newer = append(newer, Step{Version: recorded.Version, AppliedAt: details.Timestamp})
	}
	slices.SortFunc(newer, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	return newer, nil
}

// Count returns how many of the steps are pending, and how many this program does not know.
func Count(steps []Step) (pending, unknown int) {
	for _, step := range steps {
		switch {
		case step.AppliedAt.IsZero():
			pending++
		case step.Name == "":
			unknown++
		}
	}
	return pending, unknown
}

func newProvider(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	folder, err := fs.Sub(files, string(dialect))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if dialect == SQLite {
		return goose.NewProvider(dialect.goose(), db, folder)
	}
	// Waiters look again each second, for up to five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return goose.NewProvider(dialect.goose(), db, folder, goose.WithSessionLocker(locker))
}
