package models

import "time"

// Infinity and NegativeInfinity stand for the PostgreSQL timestamps infinity and -infinity. Go has no such
// values. Both can be encoded everywhere, and come after and before all other times in use.
var (
	Infinity         = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
	NegativeInfinity = time.Date(1, time.January, 1, 0, 0, 0, 1_000, time.UTC)
)
