// Package migrations holds the steps of the database schema as SQL files, with one folder for each
// database, and applies them.
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

// The supported databases.
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

// Up tries a step of SQLite this often, and waits this long between tries, because another process may be
// applying the same step.
const (
	sqliteTries = 10
	sqlitePause = 50 * time.Millisecond
)

// Step is one step of the schema.
type Step struct {
	Version   int64
	Name      string    // file name; empty if only a later version of this program has the step
	AppliedAt time.Time // zero: not applied yet
}

// Up applies the steps that db does not have, and returns them. It is safe to call from several processes
// at once. On PostgreSQL they take an advisory lock. On SQLite the process that loses the race for a step
// tries again.
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

// Status returns the steps of this program, followed by the steps in db that this program does not have.
// Each comes with the time at which it was applied.
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

// newerThan returns the steps in db that come after the last step of this program.
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

// Count returns how many steps are not applied yet, and how many are unknown to this program.
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
	// A process that waits for the lock tries again every second, for up to five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return goose.NewProvider(dialect.goose(), db, folder, goose.WithSessionLocker(locker))
}

// needed is the version of the last step that a server cannot do without. What later steps are for does not
// work until they are applied, but every request is answered. So nodes may be upgraded before the schema. There
// is only one node with SQLite, which needs every step that changes the table of clients.
var needed = map[Dialect]int64{PostgreSQL: 4, SQLite: 5}

// Lacks reports whether a step is pending that a server cannot do without.
func Lacks(steps []Step, dialect Dialect) bool {
	return slices.ContainsFunc(steps, func(step Step) bool { return step.AppliedAt.IsZero() && step.Version <= needed[dialect] })
}
