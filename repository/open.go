package repository

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chit/models"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const (
	connectTimeout  = 3 * time.Second // per host, unless the URL sets it
	maxConnections  = 20
	maxIdle         = 5
	connectionLives = 30 * time.Minute
)

// OpenPostgreSQL returns the clients in the database at rawURL, a postgres:// URL with one host or several,
// as pgx parses it. It does not connect yet. Its errors do not contain the password.
func OpenPostgreSQL(rawURL string) (*Clients, error) {
	if !strings.HasPrefix(rawURL, "postgres://") && !strings.HasPrefix(rawURL, "postgresql://") {
		return nil, errors.New("must begin with postgres://")
	}
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, withoutURL(err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(readInfinity))
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxIdle)
	pool.SetConnMaxLifetime(connectionLives)
	return open(postgres.New(postgres.Config{Conn: pool}))
}

// withoutURL keeps the reason why pgx refuses a URL. The error of pgx begins with the URL, and may repeat
// parts of it.
func withoutURL(err error) error {
	parts := strings.Split(err.Error(), "`: ")
	why := parts[len(parts)-1]
	if len(parts) == 1 || strings.HasPrefix(why, "failed to parse as URL") {
		return errors.New("is not a URL: write postgres://user:password@host:5432/name, with special characters percent-encoded")
	}
	return errors.New(why)
}

// OpenSQLite returns the clients in the SQLite file at path. It creates the file if it does not exist.
// Several processes may use the file at the same time.
func OpenSQLite(path string) (*Clients, error) {
	pragmas := url.Values{
		"_pragma": {"journal_mode(WAL)", "busy_timeout(5000)", "foreign_keys(1)", "synchronous(NORMAL)"},
		"_txlock": {"immediate"},
	}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: pragmas.Encode()}
	clients, err := open(sqlite.Open(file.String()))
	if err != nil {
		if cause := unwritable(path); cause != nil {
			err = cause // the error of SQLite would say "out of memory"
		}
		return nil, fmt.Errorf("the SQLite file %s cannot be used: %w", path, err)
	}
	return clients, nil
}

// unwritable returns the reason why the file at path or its directory cannot be written to, or nil. SQLite
// puts other files into the directory.
func unwritable(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_ = file.Close() // nothing was written
	draft, err := os.CreateTemp(filepath.Dir(path), ".chit-")
	if err != nil {
		return fmt.Errorf("its directory must be writable, too: %w", err)
	}
	return errors.Join(draft.Close(), os.Remove(draft.Name()))
}

func open(dialector gorm.Dialector) (*Clients, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		DisableAutomaticPing:   true,
		SkipDefaultTransaction: true,
		TranslateError:         true,
		// Columns are selected by name, because a prepared SELECT * fails after an ALTER TABLE.
		QueryFields: true,
		NowFunc:     func() time.Time { return time.Now().UTC() },
		// Errors are returned, and the caller logs them once.
		Logger: logger.NewSlogLogger(slog.New(slog.DiscardHandler), logger.Config{LogLevel: logger.Silent}),
	})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	statement := &gorm.Statement{DB: db}
	if err := statement.Parse(&models.Client{}); err != nil {
		return nil, err
	}
	return &Clients{db: db, pool: pool, selections: selectionsOf(statement.Schema.DBNames, federationList[db.Name()])}, nil
}
