package load

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	out := "Running 1s test\n  2 threads\n" +
		`{"requests":5,"microseconds":1000000,"p50":300,"p99":9000,"connect":1,"read":2,"write":3,"timeout":4,"wrong":5,"sample":"401 {\u0022error\u0022:\u0022x\u0022}\u000a"}` + "\n"
	got, err := parse(out)
	want := Result{5, time.Second, 300 * time.Microsecond, 9 * time.Millisecond, 15, `401 {"error":"x"}`}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseFailures(t *testing.T) {
	for name, row := range map[string]struct{ out, want string }{
		"no line of ours": {"Running 1s test\nunable to connect\n", "not load.lua's"},
		"empty":           {"", "not load.lua's"},
		"no answer":       {`{"requests":0,"microseconds":1000000,"sample":""}`, "no answer at all"},
	} {
		if _, err := parse(row.out); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLines(t *testing.T) {
	got := lines([]Request{
		Issue(Client{"id", "secret"}),
		Introspect(Client{"id", "secret"}, "a&b"),
		{Method: "GET", Path: "/"},
	})
	want := "POST\t/token\tBasic aWQ6c2VjcmV0\t\tgrant_type=client_credentials\n" +
		"POST\t/introspect\tBasic aWQ6c2VjcmV0\t\ttoken=a%26b\n" +
		"GET\t/\t\t\t\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMix(t *testing.T) {
	one := Request{Path: "i"}
	var paths []string
	for _, r := range Mix(one, 2, []Request{{Path: "a"}, {Path: "b"}, {Path: "c"}, {Path: "d"}}) {
		paths = append(paths, r.Path)
	}
	if want := []string{"i", "a", "b", "i", "c", "d"}; !slices.Equal(paths, want) {
		t.Errorf("got %v, want %v", paths, want)
	}
}
