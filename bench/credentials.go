package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"chit/assertions"
	"chit/bench/load"
	"chit/keys"
)

// perSecond is how many requests a second there are assertions for. More are signed than can be sent.
const perSecond = 30_000

// signing are the algorithms that are measured. RSA signs slowly, so fewer requests are made: no server is
// faster with it than with ES256.
var signing = []keys.Algorithm{"ES256", "EdDSA", "RS256", "PS256"}

// resource is what a token is for.
const resource = "https://api.example"

// credentials are the keys and certificates of all clients.
type credentials struct {
	seconds     int
	keys        map[string]*keys.Private // by the name of the algorithm, and that of the platform
	documents   map[string][]byte
	authority   []byte // in PEM
	certificate []byte // of a client, in DER
	key         []byte // the document with its key
}

func newCredentials(seconds int) (*credentials, error) {
	c := &credentials{seconds: seconds, keys: map[string]*keys.Private{}, documents: map[string][]byte{}}
	for _, algorithm := range append(signing, "platform") {
		used := algorithm
		if algorithm == "platform" {
			used = "RS256"
		}
		key, err := keys.Generate(used)
		if err != nil {
			return nil, err
		}
		c.keys[string(algorithm)] = key
		if c.documents[string(algorithm)], err = key.Document(); err != nil {
			return nil, err
		}
	}
	return c, c.certify()
}

// certify makes an authority, and the certificate of a client.
func (c *credentials) certify() error {
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	}
	above, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root := template(1, "bench authority")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, above.Public(), above)
	if err != nil {
		return err
	}
	c.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template(2, "bench-tls")
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if c.certificate, err = x509.CreateCertificate(rand.Reader, leaf, root, own.Public(), above); err != nil {
		return err
	}
	point, err := own.PublicKey.Bytes()
	if err != nil {
		return err
	}
	encode := base64.RawURLEncoding.EncodeToString
	c.key, err = json.Marshal(map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}})
	return err
}

// sql registers a client for each method.
func (c *credentials) sql(platform string) string {
	var text strings.Builder
	for _, algorithm := range signing {
		fmt.Fprintf(&text, "INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, jwks) VALUES ('%s', 'openid profile', 'private_key_jwt', '%s');", algorithm, c.documents[string(algorithm)])
	}
	fmt.Fprintf(&text, "INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, allowed_resources) VALUES ('audience', encode(sha256('%s'), 'base64'), 'openid profile', '%s');", secret, resource)
	fmt.Fprintf(&text, "INSERT INTO oauth_client (client_id, client_secret_hash, allowed_scopes, tls_client_certificate_bound_access_tokens) VALUES ('bound', encode(sha256('%s'), 'base64'), 'openid profile', true);", secret)
	text.WriteString("INSERT INTO oauth_client (client_id, allowed_scopes) VALUES ('federated', 'openid profile');")
	fmt.Fprintf(&text, "INSERT INTO oauth_client_federation VALUES ('federated', 'https://platform.example', 'workload', '%s', '%s/keys');", issuer, platform)
	text.WriteString("INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, tls_client_auth_subject_dn) VALUES ('tls', 'openid profile', 'tls_client_auth', 'CN=bench-tls');")
	fmt.Fprintf(&text, "INSERT INTO oauth_client (client_id, allowed_scopes, token_endpoint_auth_method, jwks) VALUES ('self-signed', 'openid profile', 'self_signed_tls_client_auth', '%s');", c.key)
	return text.String()
}

// methods returns the methods, that of the secret first.
func (c *credentials) methods() []method {
	once := func(request load.Request) func() ([]load.Request, error) {
		return func() ([]load.Request, error) { return []load.Request{request}, nil }
	}
	all := []method{{"secret, by HTTP Basic", once(load.Issue(clients(1)[0]))}}
	for _, algorithm := range signing {
		signed := sync.OnceValues(func() ([]load.Request, error) { return c.sign(algorithm) })
		all = append(all, method{"private_key_jwt, " + string(algorithm), signed})
	}
	withCertificate := func(id string) load.Request {
		request := form(url.Values{"client_id": {id}})
		request.Header = "Client-Cert: :" + base64.StdEncoding.EncodeToString(c.certificate) + ":"
		return request
	}
	named, bound := load.Issue(load.Client{ID: "audience", Secret: secret}), load.Issue(load.Client{ID: "bound", Secret: secret})
	named.Form += "&resource=" + url.QueryEscape(resource)
	bound.Header = withCertificate("").Header
	return append(all,
		method{"secret, with a resource", once(named)},
		method{"secret, with a DPoP proof, ES256", proved("ES256", c.seconds)},
		method{"secret, with a DPoP proof, EdDSA", proved("EdDSA", c.seconds)},
		method{"secret, bound to Client-Cert", once(bound)},
		method{"token of a platform, RS256", func() ([]load.Request, error) {
			token, err := c.keys["platform"].Sign(map[string]any{"iss": "https://platform.example", "sub": "workload", "aud": issuer, "exp": time.Now().Add(time.Hour).Unix()})
			request := form(url.Values{"client_id": {"federated"}, "client_assertion_type": {assertions.Type}, "client_assertion": {token}})
			return []load.Request{request}, err
		}},
		method{"tls_client_auth, by Client-Cert", once(withCertificate("tls"))},
		method{"self-signed, by Client-Cert", once(withCertificate("self-signed"))},
	)
}

// sign returns requests with an assertion each.
func (c *credentials) sign(algorithm keys.Algorithm) ([]load.Request, error) {
	count := perSecond * c.seconds
	if strings.HasSuffix(string(algorithm), "S256") && algorithm != "ES256" {
		count /= 4
	}
	requests := make([]load.Request, count)
	var group errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() error {
			for i := worker; i < count; i += workers {
				now := time.Now()
				text, err := c.keys[string(algorithm)].Sign(map[string]any{
					"iss": algorithm, "sub": algorithm, "aud": issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(50 * time.Minute).Unix(),
				})
				if err != nil {
					return err
				}
				requests[i] = form(url.Values{"client_assertion_type": {assertions.Type}, "client_assertion": {text}})
			}
			return nil
		})
	}
	return requests, group.Wait()
}
