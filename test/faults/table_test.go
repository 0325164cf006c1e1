//go:build faults

package faults_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is what users saw during a fault.
type result struct {
	fault   string
	lasted  time.Duration
	answers map[string]int
	longest time.Duration
	back    time.Duration // until everything was as before
	issued  int
	revoked int
	lost    int // acknowledged tokens
	revived int // acknowledged revocations that were lost
}

func (l *load) result(fault string, lasted, back time.Duration) result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := result{fault: fault, lasted: lasted, back: back, answers: maps.Clone(l.answers), longest: l.longest, lost: l.lost, revived: l.revived}
	for _, t := range l.memory.all() {
		r.issued++
		if t.revoked {
			r.revoked++
		}
	}
	return r
}

func (r result) String() string { return strings.Join(r.cells(), " | ") }

func (r result) cells() []string {
	var seen []string
	for _, answer := range slices.Sorted(maps.Keys(r.answers)) {
		seen = append(seen, fmt.Sprintf("%s: %d", answer, r.answers[answer]))
	}
	return []string{
		r.fault, seconds(r.lasted), strings.Join(seen, ", "), seconds(r.longest), seconds(r.back),
		fmt.Sprintf("%d of %d", r.lost, r.issued), fmt.Sprintf("%d of %d", r.revived, r.revoked),
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

const (
	tableBegin = "<!-- results: begin -->\n"
	tableEnd   = "<!-- results: end -->\n"
)

// writeTable writes the results between the marks in the file that -table names.
func writeTable(t *testing.T, rows []result) {
	if *tablePath == "" {
		return
	}
	if t.Failed() {
		t.Log("no table is written of a run that failed")
		return
	}
	path := filepath.Join("..", "..", *tablePath)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begun := strings.Cut(string(page), tableBegin)
	_, tail, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s has no place for the table", path)
	}
	var table strings.Builder
	table.WriteString("\n| fault | lasted | answers | longest answer | as before after | tokens lost | revocations lost |\n|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		if row.fault != "" {
			fmt.Fprintf(&table, "| %s |\n", strings.Join(row.cells(), " | "))
		}
	}
	if err := os.WriteFile(path, []byte(head+tableBegin+table.String()+"\n"+tableEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
