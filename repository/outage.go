package repository

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"chit/models"
)

// errOutage marks errors that mean that the database is out of reach. With any other error the database has
// answered, so the cache must not fall back on an old row.
var errOutage = errors.New("the database is out of reach")

// outages are the SQLSTATE classes with which a server says that it cannot serve now.
var outages = []string{
	"08", // connection exception
	"53", // insufficient resources
	"57", // operator intervention: shutting down, starting up, a statement was cancelled
}

func unavailable(doing string, err error) error {
	if isOutage(err) {
		err = fmt.Errorf("%w: %w", errOutage, err)
	}
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) {
		switch answer.Code {
		case "42501": // insufficient privilege
			err = fmt.Errorf("%w: %w", models.ErrNotPermitted, err)
		case "42P01", "42703": // undefined table, undefined column
			err = fmt.Errorf("%w: %w", models.ErrSchema, err)
		}
	}
	return fmt.Errorf("database: %s: %w: %w", doing, models.ErrUnavailable, err)
}

// isOutage reports whether err comes from the connection or is a timeout.
func isOutage(err error) bool {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	if refused := (*pgconn.ConnectError)(nil); errors.As(err, &refused) {
		return true // for any reason, also a changed password
	}
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) {
		for _, class := range outages {
			if strings.HasPrefix(answer.Code, class) {
				return true
			}
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// concernsRow reports whether err may come from the data of one row, so that the other rows can be read.
func concernsRow(err error) bool {
	if err == nil || errors.Is(err, errOutage) {
		return false
	}
	answer := (*pgconn.PgError)(nil)
	return !errors.As(err, &answer) || strings.HasPrefix(answer.Code, "22") // data exception
}
