package handlers

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chit/models"
)

// A difference counts as a leak if it is clearly significant and larger than a few instructions. Addresses,
// branches and the resolution of the clock always differ a little.
const (
	timedCalls = 100_000
	leakT      = 10   // Welch's t; dudect calls 10 definite
	leakShare  = 0.05 // part of the time that a call takes
)

// difference compares the second of two calls with the first.
type difference struct {
	t     float64 // Welch's
	share float64 // part of the mean of the first
}

func (d difference) leaks() bool { return math.Abs(d.t) > leakT && math.Abs(d.share) > leakShare }

// timings makes count calls, of two kinds in random order, and compares their times as dudect does (Reparaz,
// Balasch, Verbauwhede: Dude, is my code constant time?). It uses Welch's t, also for the times below
// several percentiles, because the scheduler adds to the slow end. It returns the difference with the
// highest t among those that are leaks, or among all if there is none.
func timings(calls [2]func(), count int) (worst difference) {
	var took [2][]float64
	for range count {
		class := rand.IntN(2)
		started := time.Now()
		calls[class]()
		took[class] = append(took[class], float64(time.Since(started)))
	}
	all := slices.Concat(took[0], took[1])
	slices.Sort(all)
	for _, percentile := range []float64{0.5, 0.75, 0.9, 0.95, 0.99} {
		d := compare(below(took[0], all[int(percentile*float64(len(all)))]), below(took[1], all[int(percentile*float64(len(all)))]))
		if d.leaks() == worst.leaks() && math.Abs(d.t) > math.Abs(worst.t) || d.leaks() && !worst.leaks() {
			worst = d
		}
	}
	return worst
}

func below(values []float64, limit float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(value float64) bool { return value > limit })
}

// compare returns Welch's t of two samples, and the difference of their means. If the percentile leaves one
// sample empty, the samples are as different as possible.
func compare(a, b []float64) difference {
	if len(a) < 2 || len(b) < 2 {
		return difference{t: math.Inf(1), share: 1}
	}
	meanA, varianceA := moments(a)
	meanB, varianceB := moments(b)
	spread := math.Sqrt(varianceA/float64(len(a)) + varianceB/float64(len(b)))
	return difference{t: (meanB - meanA) / max(spread, 1e-9), share: (meanB - meanA) / meanA}
}

func moments(values []float64) (mean, variance float64) {
	for _, value := range values {
		mean += value
	}
	mean /= float64(len(values))
	for _, value := range values {
		variance += (value - mean) * (value - mean)
	}
	return mean, variance / float64(len(values)-1)
}

// leak reports whether each of three runs finds a leak. A noisy machine seldom causes the same difference
// three times.
func leak(t *testing.T, calls [2]func(), count int) bool {
	t.Helper()
	build, _ := debug.ReadBuildInfo()
	if slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector takes a time of its own for each byte that is read")
	}
	var runs [3]difference
	for i := range runs {
		runs[i] = timings(calls, count)
		t.Logf("t %.1f, %.1f %% of a call", runs[i].t, 100*runs[i].share)
		if !runs[i].leaks() || math.Signbit(runs[i].t) != math.Signbit(runs[0].t) {
			return false
		}
	}
	return true
}

// memory has clients in memory. Finding a client and finding none cost the same.
type memory map[string]*models.Client

func (m memory) Find(_ context.Context, id string) (*models.Client, error) {
	if client := m[id]; client != nil {
		return client, nil
	}
	return nil, models.ErrClientNotFound
}

func (m memory) Knows(id string) bool { return m[id] != nil }

func (m memory) FindSince(ctx context.Context, id string, _ time.Time) (*models.Client, error) {
	return m.Find(ctx, id)
}

const (
	rightSecret = "chits_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAA"
	wrongEarly  = "Xhits_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAA"
	wrongLate   = "chits_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAX"
)

// The time of an answer does not tell whether a client id exists, how much of a secret is right, or how
// long the secret is.
func TestAuthenticationTiming(t *testing.T) {
	now := time.Now()
	named := func(secret string) *models.Client {
		return &models.Client{ClientID: "known", ClientSecretHash: models.HashSecret(secret)}
	}
	known, short, hashless := named(rightSecret), named("short"), &models.Client{ClientID: "known"}
	authenticate := func(client *models.Client, secret string) func() {
		return func() { _, _ = client.Authenticate(models.SecretBasic, secret, now) }
	}
	api := &API{Clients: memory{"known": known}, Now: func() time.Time { return now }, Gates: NewGates(4, time.Second, prometheus.NewRegistry())}
	var x exchange
	admit := func(id, secret string) func() {
		readings := []credentials{{id: id, method: models.SecretBasic, secret: secret}}
		return func() {
			_, _ = api.admit(t.Context(), &x, readings)
			x.leave()
		}
	}
	for _, row := range []struct {
		name  string
		calls [2]func()
	}{
		{"unknown and known client", [2]func(){authenticate(nil, wrongLate), authenticate(known, wrongLate)}},
		{"wrong at the start and at the end", [2]func(){authenticate(known, wrongEarly), authenticate(known, wrongLate)}},
		{"right and wrong", [2]func(){authenticate(known, rightSecret), authenticate(known, wrongLate)}},
		{"of the right length and of another", [2]func(){authenticate(known, wrongLate), authenticate(short, wrongLate)}},
		{"a character and three", [2]func(){authenticate(short, "a"), authenticate(short, "aaa")}},
		{"without a hash and with one", [2]func(){authenticate(hashless, wrongLate), authenticate(known, wrongLate)}},
		{"admission of an unknown and a known client", [2]func(){admit("other", wrongLate), admit("known", wrongLate)}},
		{"admission, wrong at the start and at the end", [2]func(){admit("known", wrongEarly), admit("known", wrongLate)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if leak(t, row.calls, timedCalls) {
				t.Error("the two can be told apart by the clock")
			}
		})
	}
}

// The measurement detects a comparison that stops at the first difference.
func TestTimingSeesALeak(t *testing.T) {
	var same bool
	leaky := func(presented string) func() {
		return func() {
			same = len(presented) == len(rightSecret)
			for i := 0; same && i < len(rightSecret); i++ {
				same = presented[i] == rightSecret[i]
			}
		}
	}
	if !leak(t, [2]func(){leaky(wrongEarly), leaky(wrongLate)}, timedCalls) {
		t.Error("not seen")
	}
}
