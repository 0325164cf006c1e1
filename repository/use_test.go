package repository_test

import (
	"fmt"
	"testing"
	"time"

	"chit/models"
	"chit/repository"
)

func at(t *testing.T, text string) *time.Time {
	t.Helper()
	parsed, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return &parsed
}

// use returns the last use of a client as text, by Describe and by List.
func (s suite) use(t *testing.T, id string) string {
	t.Helper()
	client, err := s.Describe(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := s.List(t.Context(), repository.Page{Query: id})
	if err != nil || len(listed) != 1 {
		t.Fatalf("%+v, %v", listed, err)
	}
	text := func(use *models.Use) string {
		last := [2]string{"never", "never"}
		for i, instant := range []*time.Time{use.LastUsedAt, use.LastTokenAt} {
			if instant != nil {
				last[i] = instant.UTC().Format(time.TimeOnly)
			}
		}
		return fmt.Sprint(use.ClientID, last)
	}
	if described, inList := text(client.Use), text(listed[0].Use); described != inList {
		t.Errorf("described %s, listed %s", described, inList)
	}
	return text(client.Use)
}

func TestUses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s suite) {
		s.register(t, "used")
		s.register(t, "idle")
		record := func(uses ...models.Use) {
			t.Helper()
			if err := s.RecordUses(t.Context(), uses); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(id, want string) {
			t.Helper()
			if got := s.use(t, id); got != id+want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		expect("used", "[never never]")
		record(models.Use{ClientID: "used", LastUsedAt: at(t, "2026-01-01 10:00:00")})
		expect("used", "[10:00:00 never]")
		record(models.Use{ClientID: "used", LastUsedAt: at(t, "2026-01-01 12:00:00"), LastTokenAt: at(t, "2026-01-01 11:00:00")})
		// Another node has seen the client earlier.
		record(models.Use{ClientID: "used", LastUsedAt: at(t, "2026-01-01 11:30:00")}, models.Use{ClientID: "gone", LastUsedAt: at(t, "2026-01-01 11:30:00")})
		expect("used", "[12:00:00 11:00:00]")
		expect("idle", "[never never]")

		if _, err := s.Delete(t.Context(), "used", nil); err != nil {
			t.Fatal(err)
		}
		record(models.Use{ClientID: "used", LastUsedAt: at(t, "2026-01-01 12:00:00")}) // by a node that is late
		s.register(t, "used")
		expect("used", "[never never]")
		record(models.Use{ClientID: "used", LastUsedAt: at(t, "2026-01-01 12:00:00")})
		s.exec(t, "UPDATE oauth_client SET client_id = 'renamed' WHERE client_id = 'used'")
		expect("renamed", "[never never]")
	})
}

// Many clients are recorded in several statements.
func TestManyUses(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, s suite) {
		var uses []models.Use
		for i := range 2500 {
			uses = append(uses, models.Use{ClientID: fmt.Sprint("client-", i), LastUsedAt: at(t, "2026-01-01 10:00:00")})
		}
		if err := s.RecordUses(t.Context(), uses); err != nil {
			t.Fatal(err)
		}
		var count int
		if err := s.DB().QueryRow("SELECT count(*) FROM oauth_client_use").Scan(&count); err != nil || count != len(uses) {
			t.Errorf("%d rows, %v", count, err)
		}
	})
}
