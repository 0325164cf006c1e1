package guard

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// The members are those that encoding/json finds, if none is there twice.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { "a" : "b" , "c":[1,{"d":"}"}],"e":null,"f":-1.5e3,"\\"":"\\\\","\u0061":true} `, `{"a":1,"a":1}`, `[]`, `{"a":{}}{}`, `{"a":"\ud800"}`, "{\"a\xff\":\"\xff\"}", `{"a":}`, "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseMembers(text)
		want, twice := slowly(text)
		if twice || want == nil {
			if err == nil {
				t.Fatalf("%q: %q is accepted", text, got)
			}
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %q %v, want %q", text, got, err, want)
		}
		for name, value := range want {
			var asText string
			_ = json.Unmarshal(value, &asText) // an empty text if it is none
			if !bytes.Equal(got[name], value) || got.text(name) != asText {
				t.Errorf("%q: %q is %q, want %q", text, name, got[name], value)
			}
		}
	})
}

// slowly returns the members of an object; nil: it is none.
func slowly(text []byte) (found map[string]json.RawMessage, twice bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	found = map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		name := token.(string)
		_, again := found[name]
		twice = twice || again
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, false
		}
		found[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, false
	}
	return found, twice
}
