package repository_test

import (
	"slices"
	"testing"

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
