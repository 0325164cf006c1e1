package models

import "time"

// The instants that PostgreSQL calls infinity and -infinity. They are dates that every calendar and
// every encoding has, and come after and before all others that matter here.
var (
	Infinity         = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
	NegativeInfinity = time.Date(1, time.January, 1, 0, 0, 0, 1_000, time.UTC)
)
