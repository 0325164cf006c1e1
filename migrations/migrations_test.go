package migrations_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"chit/app/apptest"
	"chit/migrations"
	"chit/repository"
)

func TestMain(m *testing.M) { apptest.Run(m) }

func open(t *testing.T, dialect migrations.Dialect, place string) *repository.Clients {
	t.Helper()
	clients, err := repository.OpenPostgreSQL(place)
	if dialect == migrations.SQLite {
		clients, err = repository.OpenSQLite(place)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clients.Close() })
	return clients
}

func TestUpAndStatus(t *testing.T) {
	for dialect, place := range map[migrations.Dialect]string{
		migrations.SQLite:     filepath.Join(t.TempDir(), "chit.db"),
		migrations.PostgreSQL: apptest.Database(t),
	} {
		t.Run(string(dialect), func(t *testing.T) {
			db := open(t, dialect, place).DB()
			steps, err := migrations.Status(t.Context(), db, dialect)
			if err != nil || len(steps) == 0 || !steps[0].AppliedAt.IsZero() {
				t.Fatalf("before: %+v, %v", steps, err)
			}
			if pending, unknown := migrations.Count(steps); pending != len(steps) || unknown != 0 {
				t.Errorf("before: %d pending and %d unknown of %d", pending, unknown, len(steps))
			}
			applied, err := migrations.Up(t.Context(), db, dialect)
			if err != nil || len(applied) != len(steps) {
				t.Fatalf("applied %+v, %v", applied, err)
			}
			if applied, err := migrations.Up(t.Context(), db, dialect); err != nil || len(applied) != 0 {
				t.Errorf("a second time: %+v, %v", applied, err)
			}
			steps, err = migrations.Status(t.Context(), db, dialect)
			if err != nil || steps[len(steps)-1].AppliedAt.IsZero() {
				t.Errorf("after: %+v, %v", steps, err)
			}
			checkNewer(t, db, dialect, steps)
		})
	}
}

// checkNewer records two steps that only a later version of the program has.
func checkNewer(t *testing.T, db *sql.DB, dialect migrations.Dialect, known []migrations.Step) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true), (98, true)"); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations.Status(t.Context(), db, dialect)
	if pending, unknown := migrations.Count(steps); err != nil || len(steps) != len(known)+2 || pending != 0 || unknown != 2 {
		t.Fatalf("%+v, %v", steps, err)
	}
	for i, step := range steps[len(known):] {
		if step.Version != int64(98+i) || step.Name != "" || step.AppliedAt.IsZero() {
			t.Errorf("%+v", step)
		}
	}
	if applied, err := migrations.Up(t.Context(), db, dialect); err != nil || len(applied) != 0 {
		t.Errorf("an older program applies %+v, %v", applied, err)
	}
}

// Several nodes can start at the same time on one empty database. Each step is applied once.
func TestUpAtOnce(t *testing.T) {
	for dialect, place := range map[migrations.Dialect]string{
		migrations.SQLite:     filepath.Join(t.TempDir(), "chit.db"),
		migrations.PostgreSQL: apptest.Database(t),
	} {
		t.Run(string(dialect), func(t *testing.T) {
			const nodes = 4
			var applied [nodes]int
			var wait sync.WaitGroup
			for i := range nodes {
				db := open(t, dialect, place).DB()
				wait.Go(func() {
					steps, err := migrations.Up(t.Context(), db, dialect)
					if err != nil {
						t.Errorf("node %d: %v", i, err)
					}
					applied[i] = len(steps)
				})
			}
			wait.Wait()
			total := 0
			for _, count := range applied {
				total += count
			}
			steps, err := migrations.Status(t.Context(), open(t, dialect, place).DB(), dialect)
			if err != nil || total != len(steps) {
				t.Errorf("%d steps applied by %v, %v", len(steps), applied, err)
			}
		})
	}
}
