package admin

import (
	"context"
	"log/slog"
	"net/url"
	"strings"

	"chit/assertions"
	"chit/keys"
	"chit/models"
)

// CheckFederation returns an Invalid if a value is wrong. anySubject allows a subject that is * alone, which lets
// every workload of the issuer in.
func CheckFederation(f models.Federation, anySubject bool) error {
	var faults Invalid
	domain, isSPIFFE := strings.CutPrefix(f.Issuer, assertions.SPIFFE)
	if isSPIFFE {
		parsed, err := url.Parse(f.Issuer)
		faults.add(err != nil || domain == "" || parsed.Host != domain, "issuer", "%q is not a trust domain: write spiffe://example.org", f.Issuer)
		faults.add(f.JWKSURI == "", "jwks_uri", "is missing: a trust domain has no discovery document, so say where its keys are")
		faults.add(f.Subject != "*" && !strings.HasPrefix(f.Subject, f.Issuer+"/"), "subject", "%q is not below %s/", f.Subject, f.Issuer)
	} else if err := keys.CheckURL(f.Issuer); err != nil {
		faults.add(true, "issuer", "%q %v", f.Issuer, err)
	}
	star := strings.Index(f.Subject, "*")
	faults.add(f.Subject == "", "subject", "is missing")
	faults.add(f.Subject == "*" && !anySubject, "subject", "is * alone, which lets every workload of the issuer in, also those of strangers")
	faults.add(star >= 0 && star < len(f.Subject)-1, "subject", "%q has a * that is not at its end, where it would stand for itself", f.Subject)
	faults.add(f.Audience == "", "audience", "is missing: write what the token's aud is, such as the issuer URL of this server")
	if f.JWKSURI != "" {
		if err := keys.CheckURL(string(f.JWKSURI)); err != nil {
			faults.add(true, "jwks_uri", "%q %v", string(f.JWKSURI), err)
		}
	}
	for field, value := range map[string]string{"issuer": f.Issuer, "subject": f.Subject, "audience": f.Audience} {
		faults.add(strings.ContainsRune(value, 0), field, "has a NUL character, which the database cannot store")
	}
	return faults.orNil()
}

// Federate lets tokens of another issuer authenticate a client. It returns an Invalid for a wrong value, and
// repository.ErrFederationExists.
func (a Actions) Federate(ctx context.Context, federation models.Federation, anySubject bool) (*models.Client, error) {
	if err := CheckFederation(federation, anySubject); err != nil {
		return nil, err
	}
	var before models.Client
	condition := func(client *models.Client) error {
		if err := a.condition(&before)(client); err != nil {
			return err
		}
		if !client.AcceptsFederation() {
			return Invalid{{"token_endpoint_auth_method", "is " + string(client.AuthMethod) + ": only a client with private_key_jwt or with any secret can have federations"}}
		}
		return nil
	}
	client, err := a.Clients.AddFederation(ctx, federation, condition)
	if err == nil {
		a.noteFederation(ctx, "federation_added", federation)
	}
	return client, err
}

// Unfederate takes a federation away. It returns repository.ErrNoFederation if the client has no such one.
func (a Actions) Unfederate(ctx context.Context, federation models.Federation) (*models.Client, error) {
	var before models.Client
	client, err := a.Clients.RemoveFederation(ctx, federation, a.condition(&before))
	if err == nil {
		a.noteFederation(ctx, "federation_removed", federation)
	}
	return client, err
}

// noteFederation writes a line to the audit trail.
func (a Actions) noteFederation(ctx context.Context, what string, f models.Federation) {
	a.note(ctx, clientUpdated, slog.String("client_id", f.ClientID), slog.Group(what,
		slog.String("issuer", f.Issuer), slog.String("subject", f.Subject), slog.String("audience", f.Audience), slog.String("jwks_uri", string(f.JWKSURI))))
}
