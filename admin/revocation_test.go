package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"chit/admin"
	"chit/models"
)

// Tokens that a node has issued for the old secret before it knew of the rotation are revoked, too.
func TestRotationSettles(t *testing.T) {
	o := open(t)
	o.client(t, "billing-job")
	o.Settle = 10 * time.Millisecond
	rotated, err := o.Rotate(t.Context(), "billing-job", admin.Rotation{RevokeTokens: true})
	if err != nil {
		t.Fatal(err)
	}
	_, late, err := o.Tokens.Issue(t.Context(), models.Grant{ClientID: "billing-job", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := rotated.Revocation.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if late.Active(o.find(t, "billing-job"), time.Now()) {
		t.Error("the late token is active")
	}
	removed, err := rotated.Revocation.Finish(t.Context(), noProgress)
	o.redis.FastForward(time.Second) // keys expire instead of being deleted
	if removed != 3 || err != nil || o.keys() != 0 {
		t.Errorf("%d keys removed, %d left, %v", removed, o.keys(), err)
	}
}

// A client whose deletion fails halfway is disabled, and its tokens are inactive.
func TestInterruptedDeletion(t *testing.T) {
	o := open(t)
	_, issued := o.client(t, "billing-job")
	o.Settle = time.Hour
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		for ctx.Err() == nil {
			if client, err := o.Clients.Find(ctx, "billing-job"); err == nil && client.Disabled() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		interrupt()
	}()
	_, err := o.Delete(ctx, "billing-job")
	var half admin.NotDeleted
	if !errors.As(err, &half) || !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if client := o.find(t, "billing-job"); !client.Disabled() || issued[0].Active(client, time.Now()) {
		t.Errorf("%+v", client)
	}
	if strings.Contains(o.trail.String(), "client_deleted") {
		t.Errorf("noted: %s", o.trail)
	}
}

// If Redis fails, the tokens are inactive, and the error says how many keys are left.
func TestRevocationWithoutRedis(t *testing.T) {
	o := open(t)
	_, issued := o.client(t, "billing-job")
	o.redis.SetError("LOADING")
	ended, err := o.RevokeTokens(t.Context(), "billing-job")
	if err != nil {
		t.Fatal(err)
	}
	if issued[0].Active(o.find(t, "billing-job"), time.Now()) {
		t.Error("a token is active")
	}
	_, err = ended.Finish(t.Context(), noProgress)
	var unfinished *admin.Unfinished
	if !errors.As(err, &unfinished) || unfinished.Removed != 0 || !errors.Is(err, models.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	o.redis.SetError("")
	if removed, err := ended.Finish(t.Context(), noProgress); removed != 2 || err != nil {
		t.Errorf("afterwards: %d, %v", removed, err)
	}
}

// What a deleted client has left can be revoked. Only then there is a line in the audit trail.
func TestRevocationForAClientThatDoesNotExist(t *testing.T) {
	o := open(t)
	if _, _, err := o.Tokens.Issue(t.Context(), models.Grant{ClientID: "gone", TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		ended, err := o.RevokeTokens(t.Context(), "gone")
		if err != nil || ended.Client != nil {
			t.Fatalf("%+v, %v", ended, err)
		}
		if removed, err := ended.Finish(t.Context(), noProgress); removed != want || err != nil {
			t.Errorf("%d keys removed, %v", removed, err)
		}
		if lines := strings.Count(o.trail.String(), `"event":"tokens_revoked"`); lines != 1 {
			t.Errorf("after %d revocations: %d lines", i+1, lines)
		}
	}
}
