package repository

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// tables is the state of the tables in the catalog, as a heartbeat reads it. The state changes whenever
// rows may have changed without a trigger: if a table was replaced, rewritten or dropped, or if triggers
// were disabled.
type tables struct {
	state    string
	announce bool // all triggers exist and are enabled
}

// announcing is the number of triggers that send notifications: see migrations/postgres. The table of
// federations, which a schema of the previous version lacks, has more.
const announcing, announcingFederations = 5, 2

// heartbeatSQL only reads the catalog. The xmin of a row in pg_class or pg_trigger shows that the row was
// written again, even if a transaction has restored the old values.
var heartbeatSQL = fmt.Sprintf(`-- heartbeat
SELECT coalesce(string_agg(concat_ws(' ', c.oid, c.relfilenode, c.xmin, t.oid, t.xmin, t.tgenabled), ',' ORDER BY c.oid, t.oid), ''),
       count(*) FILTER (WHERE t.tgname LIKE 'oauth\_client%%\_notify%%' AND t.tgenabled IN ('O', 'A'))
           = %d + CASE WHEN to_regclass('oauth_client_federation') IS NULL THEN 0 ELSE %d END
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
WHERE c.oid IN (to_regclass('oauth_client'), to_regclass('oauth_client_retired_secret'), to_regclass('oauth_client_federation'))`,
	announcing, announcingFederations)

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
