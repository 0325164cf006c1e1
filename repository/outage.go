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

// errOutage is wrapped by errors that say that the database is out of reach. All other errors are its
// answer: it was reached, and what was known of a row before does not count any more.
var errOutage = errors.New("the database is out of reach")

// outages are the classes of SQLSTATE with which a server says that it cannot serve now.
var outages = []string{
	"08", // connection exception
	"53", // insufficient resources
	"57", // operator intervention: shutting down, starting up, a statement cancelled
}

func unavailable(doing string, err error) error {
	if isOutage(err) {
		err = fmt.Errorf("%w: %w", errOutage, err)
	}
	return fmt.Errorf("database: %s: %w: %w", doing, models.ErrUnavailable, err)
}

// isOutage reports whether an error is one of the connection, or a timeout.
func isOutage(err error) bool {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	if refused := (*pgconn.ConnectError)(nil); errors.As(err, &refused) {
		return true // whatever the reason, such as a changed password
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

// concernsRow reports whether an error may come from what is in one row, so that others can be read.
func concernsRow(err error) bool {
	if err == nil || errors.Is(err, errOutage) {
		return false
	}
	answer := (*pgconn.PgError)(nil)
	return !errors.As(err, &answer) || strings.HasPrefix(answer.Code, "22") // data exception
}
