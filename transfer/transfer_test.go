package transfer_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chit/models"
	"chit/transfer"
)

// summary describes an entry in one line.
func summary(e transfer.Entry) string {
	if e.Skip != "" {
		return e.Client.ClientID + ": left out: " + e.Skip
	}
	text := fmt.Sprintf("%s %q %q secret %s", e.Client.ClientID, e.Client.ClientName, e.Client.AllowedScopes, e.Secret)
	if e.Client.TokenTTLSeconds != nil {
		text += fmt.Sprint(" ", *e.Client.TokenTTLSeconds, " s")
	}
	for _, property := range []struct {
		name string
		is   bool
	}{
		{" disabled", e.Client.Disabled()}, {" resource server", e.Client.IsResourceServer},
		{" dpop-bound", bool(e.Client.DPoPBound)}, {" certificate-bound", bool(e.Client.CertificateBound)},
	} {
		if property.is {
			text += property.name
		}
	}
	if e.Client.GrantTypes != models.ClientCredentials {
		text += " with " + e.Client.GrantTypes
	}
	return strings.Join(append([]string{text}, e.Notes...), "; ")
}

func TestFormats(t *testing.T) {
	for _, row := range []struct {
		file   string
		format transfer.Format
		want   []string
	}{
		{"hydra.json", transfer.Hydra, []string{
			`billing "Billing" "invoices.read invoices.write" secret new needed 900 s; its other grants are left out: refresh_token; the hash of its secret stays in Hydra, which does not export it; its audience is left out: set allowed_resources if its tokens are for certain resource servers`,
			"web: left out: it is public: this server is for clients that can keep a secret",
			`keyed "" "" secret not needed; its assertions must have the issuer URL of this server as aud, or one of CHIT_ASSERTION_AUDIENCES`,
			`remote "" "" secret not needed; its assertions must have the issuer URL of this server as aud, or one of CHIT_ASSERTION_AUDIENCES`,
			`signer "" "" secret new needed; it authenticates by private_key_jwt at Hydra, and gets a secret here; the hash of its secret stays in Hydra, which does not export it`,
			`known "" "a" secret kept`,
		}},
		{"keycloak.json", transfer.Keycloak, []string{
			"account: left out: it is public: this server is for clients that can keep a secret",
			`export "Nightly export" "orders.read orders.write" secret kept 900 s; scopes of Keycloak are left out: web-origins acr offline_access`,
			`masked "" "" secret new needed disabled; the export hides its secret: export with ` + "`kc.sh export`" + `, which does not`,
			`orders-api "" "" secret kept resource server dpop-bound certificate-bound; it only checks tokens, so it is a resource server here`,
			"saml-app: left out: its protocol is saml",
			"browser: left out: it has no service account: it does not use client_credentials",
		}},
		{"clients.csv", transfer.CSV, []string{
			`plain "Plain, with a comma" "a b" secret kept`,
			`hashed "" "" secret kept 600 s resource server`,
			`none "" "" secret new needed disabled`,
		}},
	} {
		content, err := os.ReadFile("testdata/" + row.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []transfer.Format{transfer.Auto, row.format} {
			entries, found, err := transfer.Read(append([]byte("\ufeff"), content...), format)
			var got []string
			for _, e := range entries {
				got = append(got, summary(e))
			}
			if diff := cmp.Diff(row.want, got); diff != "" || found != row.format || err != nil {
				t.Errorf("%s as %s: %s, %v: %s", row.file, format, found, err, diff)
			}
		}
	}
	entries, _, _ := transfer.Read([]byte("client_id,client_secret\na,my-secret\n"), transfer.CSV)
	if now := time.Now(); len(entries) != 1 {
		t.Errorf("%v", entries)
	} else if _, err := entries[0].Client.Authenticate(models.SecretBasic, "my-secret", now); err != nil {
		t.Error(err)
	}
}

// What is exported is read back the same.
func TestExportAndImport(t *testing.T) {
	at, ttl := time.Date(2026, 11, 28, 1, 2, 3, 456_000, time.UTC), int64(60)
	clients := []models.Client{
		{ClientID: "a <&>", ClientSecretHash: models.HashSecret("x"), ClientName: "é", RedirectURIs: "u", AllowedScopes: "s t", GrantTypes: "client_credentials,other", IsResourceServer: true,
			TokenTTLSeconds: &ttl, DisabledAt: &at, TokensRevokedBefore: &models.Infinity, CreatedAt: at,
			RetiredSecrets: []models.RetiredSecret{{ClientID: "a <&>", SecretHash: models.HashSecret("y"), ExpiresAt: at, LastUsedAt: &at}}},
		{ClientID: "b", IsPublic: true, CreatedAt: at},
		{ClientID: "c", CreatedAt: at, AuthMethod: models.PrivateKeyJWT, JWKS: `{"keys": []}`, Federations: []models.Federation{{ClientID: "c", Issuer: "i", Subject: "s*", Audience: "a", JWKSURI: "u"}, {ClientID: "c", Issuer: "i", Subject: "s", Audience: "a"}}},
		{ClientID: "d", CreatedAt: at, AuthMethod: models.TLSClientAuth, JWKSURI: "u", TLSSubjectDN: "CN=d", TLSSANDNS: "d.example", TLSSANURI: "spiffe://d/d"},
	}
	var file bytes.Buffer
	if err := transfer.Write(&file, clients); err != nil {
		t.Fatal(err)
	}
	entries, format, err := transfer.Read(file.Bytes(), transfer.Auto)
	var got []models.Client
	for _, e := range entries {
		got = append(got, e.Client)
	}
	if diff := cmp.Diff(clients, got); diff != "" || format != transfer.Chit || err != nil {
		t.Errorf("%s, %v: %s", format, err, diff)
	}
}

// A wrong file says where it is wrong.
func TestWrongFiles(t *testing.T) {
	for _, row := range []struct {
		content string
		format  transfer.Format
		want    string
	}{
		{"", transfer.Auto, "the file is not of the format csv: it is empty: the first line has the names of the columns"},
		{"client_name\nx\n", transfer.Auto, "line 1: there is no column client_id"},
		{"client_id,secret\na,b\n", transfer.Auto, `line 1: the column "secret" is not known: the columns are client_id, client_name`},
		{"client_id,client_id\na,b\n", transfer.Auto, "line 1: the column client_id is there twice"},
		{"client_id,scope\na\n", transfer.Auto, "record on line 2: wrong number of fields"},
		{"client_id,token_ttl_seconds\na,soon\n", transfer.Auto, `row 2: token_ttl_seconds: "soon" is not a number of seconds`},
		{"client_id,disabled\na,maybe\n", transfer.Auto, `row 2: disabled: "maybe" is not true or false`},
		{"client_id,client_secret,client_secret_hash\na,b,c\n", transfer.Auto, "row 2: client_secret and client_secret_hash are both there: keep one"},
		{"[\n{\"client_id\": 1}]", transfer.Auto, "the file is not of the format hydra: line 2:"},
		{"[\n{]", transfer.Auto, "the file is not of the format hydra: line 2:"},
		{`{"realm":"x"}`, transfer.Auto, `it has no "clients": export the realm with its clients`},
		{`{"chit_clients":[{"client_id":"a","new":1}]}`, transfer.Auto, `unknown field "new"`},
		{`{"realm":"x","clients":[]}`, transfer.CSV, "the file is not of the format csv"},
	} {
		if _, _, err := transfer.Read([]byte(row.content), row.format); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want %q", row.content, err, row.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"hydra.json", "keycloak.json", "clients.csv"} {
		content, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, _, err := transfer.Read(content, transfer.Auto)
		if err != nil && entries != nil {
			t.Error("an error, and clients")
		}
		for _, e := range entries {
			if e.Secret == "" || e.Secret == transfer.Kept && e.Skip == "" && e.Client.ClientSecretHash == "" && !e.Client.IsPublic {
				t.Errorf("%+v", e)
			}
		}
	})
}
