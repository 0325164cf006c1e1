package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// fresh is how old a document may be when it is used without asking for it again.
	fresh = 30 * time.Second
	// maxAge is the age at which a request waits until the document was asked for again. It leaves the time
	// of one attempt within a minute.
	maxAge = time.Minute - fetchTimeout
	// maxStale is how long a document is used that cannot be had again.
	maxStale = 10 * time.Minute
	// retryPause is the least time between two attempts to get the same document.
	retryPause = 10 * time.Second
	// maxFetches is the maximum number of attempts in flight.
	maxFetches = 64
)

// Source says where the keys of a client or of another issuer are. One of the fields is set.
type Source struct {
	Document string // the key document itself
	URL      string // of the key document
	Issuer   string // whose discovery document names the key document
}

// Documents keeps key documents of other servers. A document is asked for again while it is in use. A key that
// is gone from a document is not used for longer than a minute, unless the document cannot be had: then it is
// used as it was for ten minutes.
type Documents struct {
	Fetch func(context.Context, Source) (Set, error)
	Now   func() time.Time
	Log   *slog.Logger

	mu      sync.Mutex // guards the fields below, and all of the documents
	known   map[Source]*document
	swept   time.Time
	fetches int
}

// document is what is known about a key document.
type document struct {
	set    Set
	had    time.Time // when the attempt began that has brought set; zero: it was never had
	asked  time.Time // when the last attempt began
	used   time.Time
	err    error         // of the last attempt that has ended; nil: it has succeeded, or there was none
	failed time.Time     // when that attempt began
	flight chan struct{} // closed at the end of the attempt in flight; nil: there is none
}

// ErrNotNow means that the keys of a document are not known now.
var ErrNotNow = errors.New("the key document is not known yet")

// Get returns the keys as they are known now. It does not wait. It returns ErrNotNow if Wait may find more.
func (d *Documents) Get(source Source) (Set, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	doc := d.document(source, now)
	if now.Sub(doc.had) > fresh {
		d.ask(source, doc, now)
	}
	return doc.keys(now)
}

// Wait returns the keys after an attempt to get the document, unless the last attempt was a short time ago. It
// is for a key that Get does not know.
func (d *Documents) Wait(ctx context.Context, source Source) (Set, error) {
	d.mu.Lock()
	doc := d.document(source, d.Now())
	d.ask(source, doc, d.Now())
	flight := doc.flight
	d.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return Set{}, fmt.Errorf("%w: %w", ErrNotNow, ctx.Err())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return doc.keys(d.Now())
}

// keys returns the keys if they may be used. They may be old only while attempts to get the document fail.
func (doc *document) keys(now time.Time) (Set, error) {
	failing := doc.err != nil && now.Sub(doc.failed) <= maxAge
	if age := now.Sub(doc.had); age <= maxAge || failing && age <= maxStale {
		return doc.set, nil
	}
	return Set{}, errors.Join(ErrNotNow, doc.err)
}

// document returns the document of a source, a new one if it is not known. Documents that nobody uses are
// dropped.
func (d *Documents) document(source Source, now time.Time) *document {
	if now.Sub(d.swept) > maxStale {
		d.swept = now
		for unused, doc := range d.known {
			if now.Sub(doc.used) > maxStale && doc.flight == nil {
				delete(d.known, unused)
			}
		}
	}
	doc := d.known[source]
	if doc == nil {
		if d.known == nil {
			d.known = map[Source]*document{}
		}
		doc = &document{}
		d.known[source] = doc
	}
	doc.used = now
	return doc
}

// ask begins an attempt to get the document, unless one is in flight or has begun a short time ago.
func (d *Documents) ask(source Source, doc *document, now time.Time) {
	if doc.flight != nil || now.Sub(doc.asked) < retryPause || d.fetches >= maxFetches {
		return
	}
	d.fetches++
	doc.asked, doc.flight = now, make(chan struct{})
	go d.fetch(source, doc)
}

// fetch makes an attempt. No request cancels it, because others may wait for it too.
func (d *Documents) fetch(source Source, doc *document) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := d.attempt(ctx, source)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && doc.err == nil {
		d.Log.Warn("a key document cannot be had: its keys are used as they were for up to ten minutes", "source", source.String(), "had", doc.had.UTC(), "cause", err)
	}
	if err == nil && doc.err != nil {
		d.Log.Warn("a key document can be had again", "source", source.String())
	}
	if doc.err = err; err == nil {
		doc.set, doc.had = set, doc.asked
	} else {
		doc.failed = doc.asked
	}
	d.fetches--
	close(doc.flight)
	doc.flight = nil
}

func (d *Documents) attempt(ctx context.Context, source Source) (_ Set, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return d.Fetch(ctx, source)
}

func (s Source) String() string {
	if s.URL != "" {
		return s.URL
	}
	return s.Issuer + discoveryPath
}
