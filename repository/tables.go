package repository

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// tables is what a heartbeat sees of the tables themselves. What changes rows without a trigger (a table
// that takes the place of another, ALTER TABLE … USING, DROP TABLE, triggers that are disabled) changes
// the state.
type tables struct {
	state    string
	announce bool // all triggers are there and enabled
}

// announcing is how many triggers announce changes: see migrations/postgres.
const announcing = 5

// heartbeatSQL reads the catalog alone. The rows of pg_class and pg_trigger tell by their xmin that they
// were written anew, also where a transaction has put everything back.
var heartbeatSQL = fmt.Sprintf(`-- heartbeat
SELECT coalesce(string_agg(concat_ws(' ', c.oid, c.relfilenode, c.xmin, t.oid, t.xmin, t.tgenabled), ',' ORDER BY c.oid, t.oid), ''),
       count(*) FILTER (WHERE t.tgname LIKE 'oauth\_client%%\_notify%%' AND t.tgenabled IN ('O', 'A')) = %d
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
WHERE c.oid IN (to_regclass('oauth_client'), to_regclass('oauth_client_retired_secret'))`, announcing)

func lookAtTables(ctx context.Context, conn *pgconn.PgConn) (tables, error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	results, err := conn.Exec(ctx, heartbeatSQL).ReadAll()
	if err != nil {
		return tables{}, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return tables{}, fmt.Errorf("an answer of %d results", len(results))
	}
	row := results[0].Rows[0]
	return tables{state: string(row[0]), announce: string(row[1]) == "t"}, nil
}
