package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"runtime"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"

	"chit/bench/load"
)

// prover signs DPoP proofs.
type prover struct{ signer jose.Signer }

// newProver returns a prover with a new key.
func newProver(algorithm jose.SignatureAlgorithm) (*prover, error) {
	var key crypto.Signer
	var err error
	if algorithm == jose.EdDSA {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	return &prover{signer}, err
}

// proof returns a proof for a request, with a token unless it is empty.
func (p *prover) proof(method, url, token string) (string, error) {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if token != "" {
		digest := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// proofs returns proofs for requests to a URL.
func (p *prover) proofs(count int, method, url, token string) ([]string, error) {
	all := make([]string, count)
	var group errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() (err error) {
			for i := worker; i < count && err == nil; i += workers {
				all[i], err = p.proof(method, url, token)
			}
			return err
		})
	}
	return all, group.Wait()
}

// proved returns token requests with a proof each. They are signed for each measurement, because a proof is fresh for a
// minute.
func proved(algorithm jose.SignatureAlgorithm, seconds int) func() ([]load.Request, error) {
	return func() ([]load.Request, error) {
		p, err := newProver(algorithm)
		if err != nil {
			return nil, err
		}
		proofs, err := p.proofs(perSecond*seconds, http.MethodPost, issuer+"/token", "")
		requests := make([]load.Request, len(proofs))
		for i, proof := range proofs {
			requests[i] = load.Issue(clients(1)[0])
			requests[i].Header = "DPoP: " + proof
		}
		return requests, err
	}
}
