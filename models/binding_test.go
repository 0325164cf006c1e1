package models_test

import (
	"errors"
	"testing"
	"time"

	"chit/models"
)

func TestGrantBinding(t *testing.T) {
	certificate, key := models.Binding{Certificate: "c"}, models.Binding{Key: "k"}
	both := models.Binding{Certificate: "c", Key: "k"}
	for _, row := range []struct {
		name               string
		certificates, dpop models.Flag
		shown, want        models.Binding
		tokenType          string
		err                error
	}{
		{"a bearer token", false, false, models.Binding{}, models.Binding{}, "Bearer", nil},
		{"a proof that nobody has asked for", false, false, key, key, "DPoP", nil},
		{"a certificate that nobody has asked for", false, false, certificate, models.Binding{}, "Bearer", nil},
		{"bound to the certificate", true, false, certificate, certificate, "Bearer", nil},
		{"bound to the key", false, true, both, key, "DPoP", nil},
		{"bound to both", true, true, both, both, "DPoP", nil},
		{"bound to the certificate, and to a key", true, false, both, both, "DPoP", nil},
		{"no certificate", true, false, key, models.Binding{}, "Bearer", models.ErrNoCertificate},
		{"no proof", false, true, certificate, models.Binding{}, "Bearer", models.ErrNoProof},
		{"neither", true, true, models.Binding{}, models.Binding{}, "Bearer", models.ErrNoCertificate},
	} {
		client := models.Client{GrantTypes: models.ClientCredentials, CertificateBound: row.certificates, DPoPBound: row.dpop}
		grant, err := client.Grant(models.TokenRequest{Shown: row.shown}, time.Hour)
		if grant.Binding != row.want || grant.TokenType() != row.tokenType || !errors.Is(err, row.err) {
			t.Errorf("%s: %+v %s %v", row.name, grant.Binding, grant.TokenType(), err)
		}
	}
}
