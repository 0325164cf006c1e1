package tokens_test

import (
	"regexp"
	"strings"
	"testing"

	"chit/tokens"
)

func TestMint(t *testing.T) {
	form := regexp.MustCompile(`^chit_[A-Z2-7]{52}[A-Z2-7]{7}$`)
	seen := map[string]bool{}
	for range 1000 {
		token := tokens.Mint("chit")
		if !form.MatchString(token) || !tokens.Recognise(token) {
			t.Fatalf("minted %q", token)
		}
		seen[token] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 tokens are distinct", len(seen))
	}
}

// Each of the 52 characters takes all 32 values, which makes 260 bits.
func TestMintUsesAllBits(t *testing.T) {
	var letters [52]map[byte]bool
	for range 2000 {
		random := tokens.Mint("chit")[5:57]
		for i := range letters {
			if letters[i] == nil {
				letters[i] = map[byte]bool{}
			}
			letters[i][random[i]] = true
		}
	}
	for i, seen := range letters {
		if len(seen) != 32 {
			t.Errorf("character %d takes %d values, want 32", i, len(seen))
		}
	}
}

// The checksum is the CRC-32 (IEEE) of everything before it, big-endian, in base32. The expected value
// comes from: python3 -c "import zlib,base64; b=b'chit_'+b'A'*52;
// print((b+base64.b32encode(zlib.crc32(b).to_bytes(4,'big')).rstrip(b'=')).decode())"
func TestChecksum(t *testing.T) {
	const token = "chit_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4C73NDA"
	if !tokens.Recognise(token) {
		t.Errorf("%q is not recognised", token)
	}
}

func TestRecognise(t *testing.T) {
	token := tokens.Mint("chit")
	for name, text := range map[string]string{
		"empty":                      "",
		"cut short at its end":       token[:len(token)-1],
		"cut short at its beginning": token[1:],
		"a letter longer":            token + "A",
		"in lower case":              strings.ToLower(token),
		"another prefix":             "chat" + token[4:],
		"no prefix":                  token[4:],
		"no underscore":              strings.Replace(token, "_", "-", 1),
		"a space before":             " " + token,
		"a line break after":         token + "\n",
		"letters exchanged":          token[:5] + token[6:7] + token[5:6] + token[7:],
		"NUL":                        token[:20] + "\x00" + token[21:],
	} {
		if text != token && tokens.Recognise(text) {
			t.Errorf("%s: %q is recognised", name, text)
		}
	}
	for _, prefix := range []string{"a", "chits", "acme-prod", strings.Repeat("x", 32)} {
		if !tokens.Recognise(tokens.Mint(prefix)) {
			t.Errorf("not recognised with the prefix %q", prefix)
		}
	}
	for _, prefix := range []string{"", strings.Repeat("x", 33), "a_b", "a b", "é"} {
		if tokens.Recognise(tokens.Mint(prefix)) {
			t.Errorf("recognised with the prefix %q", prefix)
		}
	}
}

func TestValidPrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"chit": true, "Acme-1": true, strings.Repeat("x", 31): true,
		"": false, strings.Repeat("x", 32): false, "a_b": false, "a b": false, "é": false, "a:": false,
	} {
		if got := tokens.ValidPrefix(prefix); got != want {
			t.Errorf("%q: got %t", prefix, got)
		}
		if want && !tokens.Recognise(tokens.Mint(tokens.SecretPrefix(prefix))) {
			t.Errorf("%q: its secrets are not recognised", prefix)
		}
	}
}

// The expected id comes from: printf %s chit_x | sha256sum
func TestID(t *testing.T) {
	if got, want := tokens.ID("chit_x"), "b471ef35c306f10d1325519cc1beaec91fba2746827410cebbb7c618e9659cd5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A token with one changed character is not recognised, and no input makes Recognise panic.
func FuzzRecognise(f *testing.F) {
	f.Add(tokens.Mint("chit"), 7, byte('A'))
	f.Add("", 0, byte(0))
	f.Add("_", 0, byte('_'))
	f.Add(strings.Repeat("_", 60), 30, byte('Q'))
	f.Fuzz(func(t *testing.T, text string, at int, c byte) {
		if !tokens.Recognise(text) || at < 0 || at >= len(text) || text[at] == c {
			return
		}
		if changed := text[:at] + string(c) + text[at+1:]; tokens.Recognise(changed) {
			t.Errorf("%q is recognised, and so is %q", text, changed)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tokens.Mint("chit")
	}
}

func BenchmarkRecogniseToken(b *testing.B) {
	token := tokens.Mint("chit")
	b.ReportAllocs()
	for b.Loop() {
		tokens.Recognise(token)
	}
}

func BenchmarkRecogniseGarbage(b *testing.B) {
	garbage := tokens.Mint("chit")[:63] + "A"
	b.ReportAllocs()
	for b.Loop() {
		tokens.Recognise(garbage)
	}
}

func BenchmarkID(b *testing.B) {
	token := tokens.Mint("chit")
	b.ReportAllocs()
	for b.Loop() {
		tokens.ID(token)
	}
}
