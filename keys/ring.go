package keys

import (
	"context"
	"fmt"

	"github.com/maypok86/otter/v2"

	"chit/models"
)

// parsedSize is the maximum number of parsed documents of clients in memory.
const parsedSize = 10_000

// Ring finds the keys of sources, and keeps them.
type Ring struct {
	documents *Documents
	parsed    *otter.Cache[string, parsed] // because parsing takes longer than a lookup
}

// parsed is the result of Parse.
type parsed struct {
	set Set
	err error
}

// NewRing returns a Ring that gets documents of other servers from documents.
func NewRing(documents *Documents) (*Ring, error) {
	cache, err := otter.New(&otter.Options[string, parsed]{MaximumSize: parsedSize})
	if err != nil {
		return nil, fmt.Errorf("cache of keys: %w", err)
	}
	return &Ring{documents, cache}, nil
}

// Of returns where the keys of a client are. found is false if it has none.
func Of(client *models.Client) (source Source, found bool) {
	source = Source{Document: string(client.JWKS)}
	if source.Document == "" {
		source.URL = string(client.JWKSURI)
	}
	return source, source != Source{}
}

// Find returns the keys of a source that are known. If they are not enough, and thorough is true, it asks for
// the document again.
func (r *Ring) Find(ctx context.Context, source Source, thorough bool, enough func(Set) bool) (Set, error) {
	if source.Document != "" {
		return r.parse(source.Document)
	}
	set, err := r.documents.Get(source)
	if !thorough || err == nil && enough(set) {
		return set, err
	}
	return r.documents.Wait(ctx, source)
}

func (r *Ring) parse(document string) (Set, error) {
	result, found := r.parsed.GetIfPresent(document)
	if !found {
		result.set, result.err = Parse(document)
		r.parsed.Set(document, result)
	}
	return result.set, result.err
}
