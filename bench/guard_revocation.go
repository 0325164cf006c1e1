package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"chit/bench/load"
	"chit/guard"
)

// revoked is a token and the ways to end it.
type revoked struct {
	token, jti string
	client     load.Client
}

// ways are the ways to end a token. Each returns when the end is acknowledged.
func (r *guarding) ways() []struct {
	name   string
	revoke func(context.Context, revoked) error
} {
	return []struct {
		name   string
		revoke func(context.Context, revoked) error
	}{
		{"POST /revoke", func(_ context.Context, v revoked) error {
			_, err := r.loop.Ask(load.Request{Method: "POST", Path: "/revoke", As: v.client, Form: url.Values{"token": {v.token}}.Encode()})
			return err
		}},
		{"DEL in Redis", func(ctx context.Context, v revoked) error { return r.stack.Redis.Del(ctx, "oauth:token:"+v.jti).Err() }},
		{"UPDATE tokens_revoked_before", func(ctx context.Context, v revoked) error {
			return r.stack.SQL(ctx, "UPDATE oauth_client SET tokens_revoked_before = clock_timestamp() WHERE client_id = '"+v.client.ID+"'")
		}},
		{"FLUSHALL", func(ctx context.Context, _ revoked) error { return r.stack.Empty(ctx) }},
	}
}

// revocation measures the time from the acknowledgement of a revocation to the first refusal, on each
// receiver.
func (r *guarding) revocation(ctx context.Context) error {
	var rows [][]string
	for _, receivers := range r.Receivers {
		guards, stop, err := r.guards(ctx, receivers)
		if err != nil {
			stop()
			return err
		}
		for _, way := range r.ways() {
			say("%d receivers: %s", receivers, way.name)
			late, err := r.revokeAll(ctx, guards, way.revoke)
			if err != nil {
				stop()
				return fmt.Errorf("%s: %w", way.name, err)
			}
			rows = append(rows, []string{way.name, fmt.Sprint(receivers), humanize.Comma(int64(len(late))), millis(quantile(late, 0.5)), millis(quantile(late, 0.99)), millis(quantile(late, 1))})
		}
		stop()
	}
	printTable("From the acknowledgement of a revocation to the first refusal", []string{"revoked by", "receivers", "refusals", "p50", "p99", "at most"}, rows...)
	return nil
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// revokeAll revokes tokens of different clients one after the other.
func (r *guarding) revokeAll(ctx context.Context, guards []*guard.Guard, revoke func(context.Context, revoked) error) (late []time.Duration, err error) {
	all := clients(r.revocations)
	for i := range all {
		tokens, err := r.loop.Issue(ctx, all[i:i+1], 1, nil)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256([]byte(tokens[0]))
		v := revoked{tokens[0], hex.EncodeToString(digest[:]), all[i]}
		each, err := revokeOne(ctx, guards, v, revoke)
		if err != nil {
			return nil, err
		}
		late = append(late, each...)
	}
	return late, nil
}

// revokeOne lets each guard keep a token, revokes it, and returns when each guard first refused it.
func revokeOne(ctx context.Context, guards []*guard.Guard, v revoked, revoke func(context.Context, revoked) error) ([]time.Duration, error) {
	for _, g := range guards {
		if _, err := g.Check(ctx, v.token); err != nil {
			return nil, err
		}
	}
	// More guards look less often, so that looking takes less than a tenth of a processor.
	pauseEach := max(200*time.Microsecond, time.Duration(len(guards))*10*time.Microsecond)
	refusedAt, faults := make([]time.Time, len(guards)), make([]error, len(guards))
	var working sync.WaitGroup
	for i, g := range guards {
		working.Go(func() {
			for faults[i] == nil {
				_, err := g.Check(ctx, v.token)
				if errors.Is(err, guard.ErrInactive) {
					refusedAt[i] = time.Now()
					return
				}
				faults[i] = err
				time.Sleep(pauseEach)
			}
		})
	}
	err := revoke(ctx, v)
	acknowledged := time.Now()
	working.Wait()
	late := make([]time.Duration, len(guards))
	for i := range guards {
		late[i] = max(0, refusedAt[i].Sub(acknowledged))
	}
	return late, errors.Join(append(faults, err)...)
}
