package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// rsaBits is the size of new RSA keys.
const rsaBits = 3072

// Private is a private key of a client. The server has none: it is for the command line.
type Private struct {
	signer    crypto.Signer
	algorithm Algorithm
	id        string
}

// Generate makes a key for an algorithm.
func Generate(algorithm Algorithm) (*Private, error) {
	p := &Private{algorithm: algorithm}
	var err error
	switch algorithm {
	case jose.ES256:
		p.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256, jose.PS256:
		p.signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case jose.EdDSA:
		_, p.signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("%q is not supported: use ES256, RS256, PS256 or EdDSA", string(algorithm))
	}
	return p, err
}

// ParsePrivate reads a private key in PEM: PKCS #8, or the older forms of OpenSSL for EC and RSA.
func ParsePrivate(text []byte) (*Private, error) {
	block, rest := pem.Decode(text)
	for block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("is no key in PEM")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("has a %s and no PRIVATE KEY without a password", block.Type)
	}
	if err != nil {
		return nil, err
	}
	signer, is := parsed.(crypto.Signer)
	if !is {
		return nil, fmt.Errorf("is of a kind that is not supported: %T", parsed)
	}
	key := Key{Public: signer.Public()}
	if err := key.check(); err != nil {
		return nil, err
	}
	algorithms := key.Algorithms()
	if len(algorithms) == 0 {
		return nil, errors.New("is an EC key with another curve than P-256")
	}
	return &Private{signer: signer, algorithm: algorithms[0]}, nil
}

// Use sets the kid and the algorithm. An empty one stays as it is: the kid is the thumbprint of the key.
func (p *Private) Use(id string, algorithm Algorithm) error {
	if key := (&Key{Public: p.signer.Public()}); algorithm != "" && !key.fits(algorithm) {
		return fmt.Errorf("the key cannot be used with %q", string(algorithm))
	}
	if p.id = id; algorithm != "" {
		p.algorithm = algorithm
	}
	return nil
}

// ID returns the kid.
func (p *Private) ID() string {
	if p.id != "" {
		return p.id
	}
	return (&Key{Public: p.signer.Public()}).Thumbprint()
}

// PEM returns the key as PKCS #8.
func (p *Private) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.signer)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// Document returns the key document with the public key.
func (p *Private) Document() ([]byte, error) {
	return json.MarshalIndent(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key: p.signer.Public(), KeyID: p.ID(), Algorithm: string(p.algorithm), Use: "sig",
	}}}, "", "  ")
}

// Sign signs claims as a JWT.
func (p *Private) Sign(claims any) (string, error) {
	return p.sign(claims, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", p.ID()))
}

// SignProof signs the claims of a DPoP proof (RFC 9449 §4.2). The public key is in its header.
func (p *Private) SignProof(claims any) (string, error) {
	return p.sign(claims, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
}

func (p *Private) sign(claims any, options *jose.SignerOptions) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.algorithm, Key: p.signer}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
