package repository_test

import (
	"slices"
	"testing"
	"time"

	"chit/models"
	"chit/repository"
)

func (s suite) pages(t *testing.T) {
	s.exec(t, "DELETE FROM oauth_client")
	s.exec(t, "INSERT INTO oauth_client (client_id, client_name) VALUES ('a_1', ''), ('b%2', 'The first JOB'), ('c!3', 'Another'), ('d', 'job')")
	for _, row := range []struct {
		page repository.Page
		want []string
	}{
		{repository.Page{}, []string{"a_1", "b%2", "c!3", "d"}},
		{repository.Page{Limit: 2}, []string{"a_1", "b%2"}},
		{repository.Page{Limit: 2, After: "b%2"}, []string{"c!3", "d"}},
		{repository.Page{After: "d"}, nil},
		{repository.Page{Query: "Job"}, []string{"b%2", "d"}},
		{repository.Page{Query: "job", After: "b%2"}, []string{"d"}},
		{repository.Page{Query: "B%"}, []string{"b%2"}},
		{repository.Page{Query: "_"}, []string{"a_1"}},
		{repository.Page{Query: "!"}, []string{"c!3"}},
		{repository.Page{Query: "'; DROP TABLE oauth_client"}, nil},
	} {
		found, err := s.List(t.Context(), row.page)
		var ids []string
		for _, client := range found {
			ids = append(ids, client.ClientID)
		}
		if err != nil || !slices.Equal(ids, row.want) {
			t.Errorf("%+v: %q, want %q, %v", row.page, ids, row.want, err)
		}
	}
}

func (s suite) sorted(t *testing.T) {
	s.exec(t, "DELETE FROM oauth_client")
	s.exec(t, `INSERT INTO oauth_client (client_id, client_name, created_at) VALUES
		('a', 'beta', '2026-01-04 00:00:00'), ('b', '', '2026-01-03 00:00:00'), ('c', 'Alpha', '2026-01-02 00:00:00'), ('d', 'gamma', '2026-01-02 00:00:00')`)
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	if err := s.RecordUses(t.Context(), []models.Use{{ClientID: "b", LastUsedAt: &late}, {ClientID: "c", LastUsedAt: &early}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		sheet repository.Sheet
		want  string
		total int64
	}{
		{repository.Sheet{Limit: 10}, "abcd", 4},
		{repository.Sheet{Limit: 10, Descending: true}, "dcba", 4},
		{repository.Sheet{Limit: 2, Offset: 1}, "bc", 4},
		{repository.Sheet{Limit: 2, Offset: 4}, "", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByName}, "cadb", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByName, Descending: true}, "dacb", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByCreated}, "cdba", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByCreated, Descending: true}, "abcd", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByLastUse}, "cbad", 4},
		{repository.Sheet{Limit: 10, Sort: repository.ByLastUse, Descending: true}, "bcad", 4},
		{repository.Sheet{Limit: 1, Sort: repository.ByName, Query: "A"}, "c", 3},
		{repository.Sheet{Limit: 10, Sort: "client_id; DROP TABLE oauth_client"}, "abcd", 4},
	} {
		found, total, err := s.Sorted(t.Context(), row.sheet)
		ids := ""
		for _, client := range found {
			ids += client.ClientID
		}
		if err != nil || ids != row.want || total != row.total {
			t.Errorf("%+v: %q of %d, want %q of %d, %v", row.sheet, ids, total, row.want, row.total, err)
		}
	}
}
