//go:build faults

package faults_test

import (
	"math/rand/v2"
	"sync"
	"time"
)

// token is a token that a user has received.
type token struct {
	text    string
	tried   bool // a revocation has begun
	revoked bool // a revocation was acknowledged
}

// memory has every token and every revocation that the users know of.
type memory struct {
	mu     sync.Mutex
	tokens []*token
}

func (m *memory) issued(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, &token{text: text})
}

// any returns a token and its present state, or nil.
func (m *memory) any() (*token, token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tokens) == 0 {
		return nil, token{}
	}
	t := m.tokens[rand.IntN(len(m.tokens))]
	return t, *t
}

// mark records that a token is being revoked, or was revoked.
func (m *memory) mark(t *token, revoked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.tried, t.revoked = true, t.revoked || revoked
}

// all returns the state of every token.
func (m *memory) all() []token {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]token, len(m.tokens))
	for i, t := range m.tokens {
		all[i] = *t
	}
	return all
}

// history counts answers for each tenth of a second.
type history struct {
	mu        sync.Mutex
	began     time.Time
	good, bad []int
}

const tenth = 100 * time.Millisecond

func (h *history) add(good bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at := h.at(time.Now()); len(h.good) <= at; {
		h.good, h.bad = append(h.good, 0), append(h.bad, 0)
	}
	if good {
		h.good[len(h.good)-1]++
	} else {
		h.bad[len(h.bad)-1]++
	}
}

func (h *history) at(instant time.Time) int { return int(instant.Sub(h.began) / tenth) }

// rate returns the number of good answers for each tenth of a second between two times.
func (h *history) rate(from, to time.Time) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(sum(h.good, h.at(from), h.at(to))) / max(1, float64(h.at(to)-h.at(from)))
}

// fullSpeed returns how long after a time a half second began in which nothing failed and the rate was at
// least half of the given one. It returns false if there was none yet.
func (h *history) fullSpeed(after time.Time, rate float64) (time.Duration, bool) {
	const window = 5
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.at(after)
	for at := first; at+window < len(h.good); at++ { // the last tenth is not complete
		if sum(h.bad, at, at+window) == 0 && float64(sum(h.good, at, at+window)) >= window*rate/2 {
			return max(0, h.began.Add(time.Duration(at)*tenth).Sub(after)), true
		}
	}
	return 0, false
}

func sum(counts []int, from, to int) (total int) {
	for i := max(0, from); i < min(to, len(counts)); i++ {
		total += counts[i]
	}
	return total
}
