package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"chit/guard"
)

// boundChecks is how often a bound token is checked. There is a proof for each.
const boundChecks = 20_000

// checkBound measures checks of whole requests: with a bearer token, and with one that is bound to a key and a proof.
func (r *guarding) checkBound(g *guard.Guard, bearer string) error {
	var rows [][]string
	took, err := checkRequests(g, "Bearer "+bearer, make([]string, boundChecks))
	if err != nil {
		return err
	}
	rows = append(rows, checkRow("guard.CheckRequest, Bearer", 1, took, ""))
	for _, algorithm := range []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA} {
		p, err := newProver(algorithm)
		if err != nil {
			return err
		}
		token, err := r.bound(p)
		if err != nil {
			return err
		}
		proofs, err := p.proofs(boundChecks, http.MethodGet, boundURL, token)
		if err != nil {
			return err
		}
		if took, err = checkRequests(g, "DPoP "+token, proofs); err != nil {
			return err
		}
		rows = append(rows, checkRow("guard.CheckRequest, DPoP with "+string(algorithm), 1, took, ""))
	}
	printTable("A check of a request whose token is in memory", []string{"", "goroutines", "checks", "p50", "p99", ""}, rows...)
	return nil
}

const boundURL = "http://api.example/invoices"

// bound returns a token that is bound to the key of a prover.
func (r *guarding) bound(p *prover) (string, error) {
	proof, err := p.proof(http.MethodPost, issuer+"/token", "")
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodPost, r.stack.Chit.URL+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	client := clients(1)[0]
	request.SetBasicAuth(client.ID, client.Secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("DPoP", proof)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var granted struct {
		Token string `json:"access_token"`
	}
	if err = errors.Join(err, json.Unmarshal(body, &granted)); err == nil && granted.Token == "" {
		err = fmt.Errorf("no bound token: %s", body)
	}
	return granted.Token, err
}

// checkRequests checks a request for each proof, and returns the latencies. An empty proof is none.
func checkRequests(g *guard.Guard, authorization string, proofs []string) ([]time.Duration, error) {
	clock := clockTime()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, boundURL, nil)
	request.Header.Set("Authorization", authorization)
	took := make([]time.Duration, len(proofs))
	for i, proof := range proofs {
		if proof != "" {
			request.Header["Dpop"] = []string{proof}
		}
		began := time.Now()
		_, refusal := g.CheckRequest(request)
		took[i] = max(0, time.Since(began)-clock)
		if refusal != nil {
			return nil, refusal.Err
		}
	}
	return took, nil
}
