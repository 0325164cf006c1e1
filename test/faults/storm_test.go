//go:build faults

package faults_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"chit/app/apptest"
)

// redisErrors are the errors that Redis documents for any command, without those that depend on the key.
var redisErrors = []string{
	"NOAUTH Authentication required.",
	"WRONGPASS invalid username-password pair or user is disabled.",
	"NOPERM this user has no permissions to run the command",
	"LOADING Redis is loading the dataset in memory",
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	"OOM command not allowed when used memory > 'maxmemory'.",
	"READONLY You can't write against a read only replica.",
	"MOVED 3999 127.0.0.1:1",
	"ASK 3999 127.0.0.1:1",
	"CLUSTERDOWN The cluster is down",
	"TRYAGAIN Multiple keys request during rehashing of slot",
	"BUSY Redis is busy running a script.",
	"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
	"EXECABORT Transaction discarded because of previous errors.",
	"NOREPLICAS Not enough good replicas to write.",
	"NOSCRIPT No matching script.",
	"ERR max number of clients reached",
	"ERR unknown command",
}

// sqlStates are the errors of PostgreSQL for any statement. Those of the first list end the connection.
var (
	fatalStates = []string{"57P01", "57P02", "57P03", "53300", "08006", "25P03"}
	sqlStates   = []string{"40001", "40P01", "25006", "57014", "53100", "53200", "55P03", "58030", "XX000"}
)

// Kinds of faults for a command or a statement.
type kind int

const (
	delayed kind = iota
	cutBefore
	cutUnheard
	cutInside
	cutAfter
	halfClosed // the store closes its side only, after the reply
	refused    // an error as the reply
	rude       // an error that ends the connection
	kinds
)

// storm is the sequence of faults that a seed causes.
type storm struct {
	mu     sync.Mutex
	random *rand.Rand
	on     bool
	fronts [2]front // for redis and postgres
}

// pass forwards a command. It answers WAIT like newer servers, which is the harder case.
var pass = apptest.WaitLikeRedis72(1)

const redisFront, postgresFront = 0, 1

// front says which faults occur on the way to one store for a while.
type front struct {
	ends  time.Time
	share float64 // part of the commands that get a fault
	kinds []kind  // kinds of these faults
	delay time.Duration
	error int // the same for the whole front, as with a real cause
}

func newStorm(seed uint64) *storm {
	return &storm{random: rand.New(rand.NewPCG(seed, seed))}
}

// rage begins or ends the storm.
func (s *storm) rage(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.fronts = on, [2]front{}
}

// next returns what happens to the next command.
func (s *storm) next(way int) (met bool, of kind, by front) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.on {
		return false, 0, front{}
	}
	f := &s.fronts[way]
	if now := time.Now(); now.After(f.ends) {
		*f = s.change(now)
	}
	if s.random.Float64() >= f.share {
		return false, 0, front{}
	}
	return true, f.kinds[s.random.IntN(len(f.kinds))], *f
}

// change chooses the state for the next while.
func (s *storm) change(now time.Time) front {
	all := make([]kind, kinds)
	for i := range all {
		all[i] = kind(i)
	}
	s.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	delays := []time.Duration{time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 1500 * time.Millisecond}
	return front{
		ends:  now.Add(100*time.Millisecond + time.Duration(s.random.IntN(900))*time.Millisecond),
		share: []float64{0, 0.002, 0.02, 0.2, 1}[s.random.IntN(5)],
		kinds: slices.Clone(all[:1+s.random.IntN(3)]),
		delay: delays[s.random.IntN(len(delays))],
		error: s.random.IntN(1 << 16),
	}
}

// redis decides what happens to a command.
func (s *storm) redis(x *apptest.Exchange) {
	met, of, by := s.next(redisFront)
	if !met {
		pass(x)
		return
	}
	switch of {
	case delayed:
		time.Sleep(by.delay)
		pass(x)
	case cutBefore:
		x.Cut()
	case cutUnheard:
		x.Forward()
		x.Cut()
	case cutInside:
		x.Half(x.Forward())
	case cutAfter:
		pass(x)
		x.Cut()
	case halfClosed:
		pass(x)
		x.HalfClose()
	case refused:
		x.Fail(redisErrors[by.error%len(redisErrors)])
	case rude:
		x.Fail(redisErrors[by.error%len(redisErrors)])
		x.Cut()
	}
}

// postgres decides what happens to a statement.
func (s *storm) postgres() (fault apptest.PostgreSQLFault) {
	met, of, by := s.next(postgresFront)
	if !met {
		return fault
	}
	switch of {
	case delayed:
		fault.Delay = by.delay
	case cutBefore:
		fault.Cut = apptest.CutBefore
	case cutUnheard:
		fault.Cut = apptest.CutUnheard
	case cutInside:
		fault.Cut = apptest.CutInside
	case cutAfter, halfClosed:
		fault.Cut = apptest.CutAfter
	case refused:
		fault.SQLState = sqlStates[by.error%len(sqlStates)]
	case rude:
		fault.SQLState, fault.Fatal = fatalStates[by.error%len(fatalStates)], true
	}
	return fault
}
