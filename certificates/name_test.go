package certificates_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"chit/certificates"
)

// subject returns a name in DER, in the order of the certificate: the country first, as a rule.
func subject(t testing.TB, sequence pkix.RDNSequence) []byte {
	t.Helper()
	der, err := asn1.Marshal(sequence)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// rdn returns a relative name of pairs of an OID and a value.
func rdn(pairs ...any) (set pkix.RelativeDistinguishedNameSET) {
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, pkix.AttributeTypeAndValue{Type: pairs[i].(asn1.ObjectIdentifier), Value: pairs[i+1]})
	}
	return set
}

var (
	cn  = asn1.ObjectIdentifier{2, 5, 4, 3}
	org = asn1.ObjectIdentifier{2, 5, 4, 10}
	ou  = asn1.ObjectIdentifier{2, 5, 4, 11}
	c   = asn1.ObjectIdentifier{2, 5, 4, 6}
	dc  = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
)

// Which texts are the name of which subject. Some are the examples of RFC 4514 §4.
func TestName(t *testing.T) {
	billing := pkix.RDNSequence{rdn(c, "DE"), rdn(org, "Acme, Inc."), rdn(cn, "Billing Job")}
	example := pkix.RDNSequence{rdn(dc, "net"), rdn(dc, "example"), rdn(ou, "Sales", cn, "J.  Smith")}
	special := pkix.RDNSequence{rdn(cn, `James "Jim" Smith, III`)}
	before := pkix.RDNSequence{rdn(cn, "Before\rAfter")}
	lucic := pkix.RDNSequence{rdn(cn, "Lučić")}
	spaced := pkix.RDNSequence{rdn(cn, " a #b ")}
	for _, row := range []struct {
		name    string
		subject pkix.RDNSequence
		want    bool
	}{
		{`CN=Billing Job,O=Acme\, Inc.,C=DE`, billing, true},
		{`cn=billing job, o=ACME\2C inc., c=de`, billing, true},
		{`2.5.4.3=Billing Job,O=Acme\, Inc.,C=DE`, billing, true},
		{`OID.2.5.4.3=Billing  Job,O=Acme\, Inc.,C=DE`, billing, true},
		{`CN=#130B42696C6C696E67204A6F62,O=Acme\, Inc.,C=DE`, billing, true},
		{`C=DE,O=Acme\, Inc.,CN=Billing Job`, billing, false},
		{`CN=Billing Job`, billing, false},
		{`CN=Billing Job,O=Acme\, Inc.`, billing, false},
		{`O=Acme\, Inc.,C=DE`, billing, false},
		{`CN=Billing Job,O=Acme\, Inc.,C=DE,DC=x`, billing, false},
		{`CN=Billing Jo,O=Acme\, Inc.,C=DE`, billing, false},
		{`CN=Billing Job2,O=Acme\, Inc.,C=DE`, billing, false},
		{`CN=BillingJob,O=Acme\, Inc.,C=DE`, billing, false},
		{`CN=*,O=Acme\, Inc.,C=DE`, billing, false},
		{`CN=Billing Job+CN=Billing Job,O=Acme\, Inc.,C=DE`, billing, false},
		{`OU=Sales+CN=J.  Smith,DC=example,DC=net`, example, true},
		{`CN=J. Smith+OU=Sales,DC=example,DC=net`, example, true},
		{`CN=J. Smith+CN=J. Smith,DC=example,DC=net`, example, false},
		{`CN=J. Smith,OU=Sales,DC=example,DC=net`, example, false},
		{`CN=James \"Jim\" Smith\, III`, special, true},
		{`CN=Before\0dAfter`, before, true},
		{`CN=Lu\C4\8Di\C4\87`, lucic, true},
		{`CN=LUČIĆ`, lucic, true},
		{`CN=\ a \#b\ `, spaced, true},
	} {
		name, err := certificates.ParseName(row.name)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got := name.Matches(subject(t, row.subject)); got != row.want {
			t.Errorf("%s: %t for %s", row.name, got, row.subject)
		}
	}
}

// A text that is no name says what to do.
func TestMalformedName(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "is empty",
		" ":                "is empty",
		"billing":          "which is no attribute",
		"CN=a,":            "which is no attribute",
		"=a":               "which is no attribute",
		"XX=a":             "is not known: write its OID",
		`CN=a\`:            "escapes nothing",
		`CN=a\x`:           "escapes nothing",
		`CN="a, b"`:        "write it with a backslash before it",
		"CN=#xyz":          "is not hexadecimal",
		"CN=#":             "is not hexadecimal",
		`CN=\ff`:           "is not UTF-8",
		"CN=a\xff":         "is not UTF-8",
		"CN=a;O=b":         "write it with a backslash before it",
		"/C=DE/CN=billing": "is not known: write its OID",
	} {
		if _, err := certificates.ParseName(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// A name that a subject is written as is the name of this subject, and no other text makes a panic.
func FuzzName(f *testing.F) {
	f.Add("CN=a,O=b", "a", "b")
	f.Add(`CN=\,\+\2C#,O= `, " ,+", "#b")
	f.Fuzz(func(t *testing.T, text, common, organization string) {
		if name, err := certificates.ParseName(text); err == nil {
			name.Matches([]byte(common))
		}
		der, err := asn1.Marshal(pkix.RDNSequence{rdn(org, organization), rdn(cn, common)})
		var written pkix.RDNSequence
		if err != nil {
			return
		}
		if _, err := asn1.Unmarshal(der, &written); err != nil {
			return
		}
		name, err := certificates.ParseName(written.String())
		if err != nil || !name.Matches(der) {
			t.Errorf("%q is not the name of itself: %v", written.String(), err)
		}
	})
}
