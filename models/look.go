package models

// Look says how thorough a check of credentials is.
type Look int

// The looks.
const (
	First Look = iota // with what is in memory
	Last              // also asks other servers for keys again: for the check before a refusal
	Again             // of credentials that were accepted earlier: whether the client still has them
)
