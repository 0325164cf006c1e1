package keys

import (
	"fmt"

	"github.com/maypok86/otter/v2"
)

// inlineSize is the maximum number of parsed documents in memory.
const inlineSize = 10_000

// Inline parses the documents in the rows of clients. It keeps the results, because parsing takes longer than
// a lookup.
type Inline struct{ parsed *otter.Cache[string, Set] }

// NewInline returns an Inline.
func NewInline() (*Inline, error) {
	parsed, err := otter.New(&otter.Options[string, Set]{MaximumSize: inlineSize})
	if err != nil {
		return nil, fmt.Errorf("cache of keys: %w", err)
	}
	return &Inline{parsed}, nil
}

// Parse is the function Parse.
func (i *Inline) Parse(document string) (Set, error) {
	if set, found := i.parsed.GetIfPresent(document); found {
		return set, nil
	}
	set, err := Parse(document)
	if err == nil {
		i.parsed.Set(document, set)
	}
	return set, err
}
