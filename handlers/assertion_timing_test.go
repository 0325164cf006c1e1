package handlers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"chit/assertions"
	"chit/keys"
	"chit/models"
)

func newKey(t *testing.T, id string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: "ES256"}
}

func signed(t *testing.T, key jose.JSONWebKey, claims string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// timedAssertions is the number of calls for each row. A check of a signature takes much longer than one of a
// secret.
const timedAssertions = 3000

// The time of an answer to an assertion does not tell which rule it breaks.
func TestAssertionTiming(t *testing.T) {
	registered := newKey(t, "k1")
	document, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{registered.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.NewRing(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signing := &models.Client{ClientID: "signing", AuthMethod: models.PrivateKeyJWT, JWKS: models.Text(document)}
	api := &API{
		Clients:    memory{"signing": signing, "secrets": &models.Client{ClientID: "secrets", ClientSecretHash: "x"}},
		Assertions: &assertions.Verifier{Keys: ring, MaxLifetime: time.Hour},
		Now:        func() time.Time { return now },
		Gates:      NewGates(4, time.Second, prometheus.NewRegistry()),
	}
	var x exchange
	refuse := func(id string, key jose.JSONWebKey) func() {
		text := signed(t, key, `{"iss":"`+id+`","sub":"`+id+`","aud":"another","jti":"x","exp":4102444800}`)
		return func() {
			assertion, err := assertions.Parse(text)
			if _, err = api.admit(t.Context(), &x, []credentials{{id: id, method: models.PrivateKeyJWT, assertion: assertion, malformed: err}}); err == nil {
				t.Error("accepted")
			}
			x.leave()
		}
	}
	otherKey, otherID := newKey(t, "k1"), newKey(t, "k2")
	for name, calls := range map[string][2]func(){
		"unknown client":         {refuse("signing", otherKey), refuse("unknown", otherKey)},
		"client with a secret":   {refuse("signing", otherKey), refuse("secrets", otherKey)},
		"unknown kid":            {refuse("signing", otherKey), refuse("signing", otherID)},
		"right key, wrong claim": {refuse("signing", otherKey), refuse("signing", registered)},
	} {
		t.Run(name, func(t *testing.T) {
			if leak(t, calls, timedAssertions) {
				t.Error("it can be told apart from a wrong signature by the clock")
			}
		})
	}
}
