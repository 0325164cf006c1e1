package repository

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"chit/models"
)

// readInfinity makes a connection read the timestamps infinity and -infinity as models.Infinity and
// models.NegativeInfinity, and write these back as infinity and -infinity. Go's time.Time cannot hold them
// otherwise.
func readInfinity(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &instantCodec{}})
	return nil
}

type instantCodec struct{ pgtype.TimestamptzCodec }

func (c *instantCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.TimestamptzCodec.PlanScan(m, oid, format, target)
	if _, is := target.(*pgtype.Timestamptz); is && plan != nil {
		return finiteScan{plan}
	}
	return plan
}

func (c *instantCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	plan := c.TimestamptzCodec.PlanEncode(m, oid, format, value)
	if plan == nil {
		return nil
	}
	return infiniteEncode{plan}
}

type finiteScan struct{ pgtype.ScanPlan }

func (p finiteScan) Scan(src []byte, target any) error {
	if err := p.ScanPlan.Scan(src, target); err != nil {
		return err
	}
	instant := target.(*pgtype.Timestamptz)
	switch instant.InfinityModifier {
	case pgtype.Infinity:
		*instant = pgtype.Timestamptz{Time: models.Infinity, Valid: true}
	case pgtype.NegativeInfinity:
		*instant = pgtype.Timestamptz{Time: models.NegativeInfinity, Valid: true}
	}
	return nil
}

type infiniteEncode struct{ pgtype.EncodePlan }

func (p infiniteEncode) Encode(value any, buffer []byte) ([]byte, error) {
	valuer, is := value.(pgtype.TimestamptzValuer)
	if !is {
		return nil, fmt.Errorf("%T is no instant", value)
	}
	instant, err := valuer.TimestamptzValue()
	if err != nil {
		return nil, err
	}
	switch {
	case instant.Time.Equal(models.Infinity):
		instant = pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	case instant.Time.Equal(models.NegativeInfinity):
		instant = pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return p.EncodePlan.Encode(instant, buffer)
}
