package guard

import (
	"crypto/sha256"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// digest is the SHA-256 of a token. The guard does not keep tokens themselves.
type digest [sha256.Size]byte

// answer is the answer to an introspection.
type answer struct {
	active bool
	stale  bool  // the node does not hear of changes: the answer must not be kept
	token  Token // if active
	// unusable is why an active token cannot be used here; nil: it can.
	unusable error

	asked   int64 // when the guard asked; elapsed time
	expires int64 // until when the answer may be used; elapsed time
	// calendar is the same instant by the calendar. It counts if the machine was suspended.
	calendar int64
	touched  slots        // where events about the token and its client are marked; if active
	used     atomic.Int64 // when the answer was last used, in whole seconds; elapsed time
}

// outcome returns what a check of the token says.
func (a *answer) outcome() (*answer, error) {
	if !a.active {
		return nil, ErrInactive
	}
	return a, a.unusable
}

// slots are indexes into marks.
type slots struct{ token, client uint16 }

const (
	tokenSlots  = 1 << 16
	clientSlots = 1 << 12
	// before is how long before an answer was asked for no event may have touched it. Another node may be
	// behind the one that sends the events.
	before = int64(time.Second)
	brief  = int64(100 * time.Millisecond)
	never  = math.MinInt64 / 2
)

// marks are the times of the latest events, as elapsed time. Tokens and clients share slots by a hash, so
// the memory is bounded. An event about another token in the same slot makes the guard ask once more.
type marks struct {
	seed      maphash.Seed
	tokens    [tokenSlots]atomic.Int64
	clients   [clientSlots]atomic.Int64
	anyClient atomic.Int64 // the latest event about a client
	all       atomic.Int64 // the latest event "all"
	ready     atomic.Int64 // when the present stream became ready
}

func newMarks() *marks {
	m := &marks{seed: maphash.MakeSeed()}
	for i := range m.tokens {
		m.tokens[i].Store(never)
	}
	for i := range m.clients {
		m.clients[i].Store(never)
	}
	m.anyClient.Store(never)
	m.all.Store(never)
	m.ready.Store(math.MaxInt64)
	return m
}

func (m *marks) tokenSlot(jti string) uint16 {
	return uint16(maphash.String(m.seed, jti) % tokenSlots)
}

func (m *marks) clientSlot(clientID string) uint16 {
	return uint16(maphash.String(m.seed, clientID) % clientSlots)
}

// latest returns the time of the latest event that may have changed the answer. The client of an inactive
// token is not known, so that may be an event about any client. An event about the token itself only says
// that it has ended, which an inactive answer says, too.
func (m *marks) latest(a *answer) int64 {
	if !a.active {
		return max(m.all.Load(), m.anyClient.Load())
	}
	return max(m.all.Load(), m.tokens[a.touched.token].Load(), m.clients[a.touched.client].Load())
}

// hold reports whether no event has made the answer void. An inactive answer is used briefly even if it may
// come from a node that is behind. So a flood of one dead token is not a flood of introspections while
// clients change all the time.
func (m *marks) hold(a *answer, elapsed int64) bool {
	latest := m.latest(a)
	return a.asked >= m.ready.Load() && (a.asked-before > latest || !a.active && a.asked > latest && elapsed-a.asked < brief)
}

const maxShards = 64

// kept are the answers in memory. They are split into shards by the digest, so that requests seldom wait for
// a lock.
type kept struct {
	shards []shard
	size   int // maximum number of answers in a shard
}

type shard struct {
	mu      sync.RWMutex // guards answers
	answers map[digest]*answer
	hits    atomic.Uint64
	_       [64]byte // keeps shards on different cache lines
}

// newKept returns memory for size answers, a little less if they spread unevenly over the shards.
func newKept(size int) *kept {
	k := &kept{shards: make([]shard, min(maxShards, max(1, size/1024)))}
	k.size = max(1, size/len(k.shards))
	for i := range k.shards {
		k.shards[i].answers = map[digest]*answer{}
	}
	return k
}

func (k *kept) shard(d *digest) *shard { return &k.shards[int(d[0])%len(k.shards)] }

// get returns the answer for a token, or nil.
func (k *kept) get(d *digest) *answer {
	s := k.shard(d)
	s.mu.RLock()
	a := s.answers[*d]
	s.mu.RUnlock()
	return a
}

// hit records that an answer was used.
func (k *kept) hit(d *digest, a *answer, elapsed int64) {
	k.shard(d).hits.Add(1)
	if second := elapsed / int64(time.Second); a.used.Load() != second {
		a.used.Store(second)
	}
}

// put keeps an answer. If the shard is full, another one has to go.
func (k *kept) put(d digest, a *answer, holds func(*answer) bool) {
	s := k.shard(&d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, present := s.answers[d]; !present && len(s.answers) >= k.size {
		delete(s.answers, s.victim(holds))
	}
	s.answers[d] = a
}

// sample is the number of answers that victim looks at.
const sample = 8

// victim returns an answer that is void, or the one that was not used for longest, among some that the map
// gives in random order.
func (s *shard) victim(holds func(*answer) bool) (chosen digest) {
	looked, oldest := 0, int64(math.MaxInt64)
	for d, a := range s.answers {
		used := a.used.Load()
		if !holds(a) {
			used = never
		}
		if used < oldest {
			chosen, oldest = d, used
		}
		if looked++; looked == sample || oldest == never {
			break
		}
	}
	return chosen
}

// count returns the number of answers and of uses.
func (k *kept) count() (answers int, hits uint64) {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.RLock()
		answers += len(s.answers)
		s.mu.RUnlock()
		hits += s.hits.Load()
	}
	return answers, hits
}
