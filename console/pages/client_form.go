package pages

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chit/admin"
	"chit/models"
)

// clientForm is the form to register or to change a client, as it was filled in.
type clientForm struct {
	New            bool
	ID             string
	GeneratedID    string // for a new client without an id; a form that is sent twice makes one client
	Name           string
	Scope          string
	TTL            string // number of seconds or a duration; empty: that of the server
	ResourceServer bool
	Version        string            // of the client that is changed
	Faults         map[string]string // by the JSON name of the field
	ServerTTL      int64             // seconds
}

// newClient is GET /clients/new.
func (v *visit) newClient() error {
	return v.showForm(http.StatusOK, clientForm{New: true, GeneratedID: strings.ToLower(rand.Text())})
}

// editClient is GET /client/edit.
func (v *visit) editClient() error {
	client, err := v.Actions.Clients.Find(v.context(), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	form := clientForm{
		ID: client.ClientID, Name: client.ClientName, Scope: client.AllowedScopes,
		ResourceServer: client.IsResourceServer, Version: client.Version(),
	}
	if client.TokenTTLSeconds != nil {
		form.TTL = strconv.FormatInt(*client.TokenTTLSeconds, 10)
	}
	return v.showForm(http.StatusOK, form)
}

func (v *visit) showForm(status int, form clientForm) error {
	title := "Change " + form.ID
	if form.New {
		title = "Register a client"
	}
	form.ServerTTL = int64(v.TokenTTL / time.Second)
	return v.show(status, "form", title, form)
}

// formOf returns the form as it was filled in, and the lifetime of the client's tokens; 0: that of the server.
func formOf(values url.Values) (form clientForm, ttl int64) {
	form = clientForm{
		ID: strings.TrimSpace(values.Get("id")), GeneratedID: values.Get("generated_id"), Name: strings.TrimSpace(values.Get("client_name")),
		Scope: values.Get("scope"), TTL: strings.TrimSpace(values.Get("token_ttl")), ResourceServer: values.Get("is_resource_server") != "",
		Version: values.Get("version"), Faults: map[string]string{},
	}
	if form.TTL == "" {
		return form, 0
	}
	ttl, err := strconv.ParseInt(form.TTL, 10, 64)
	if err != nil {
		var lifetime time.Duration
		lifetime, err = time.ParseDuration(form.TTL)
		ttl = int64(lifetime / time.Second)
	}
	if err != nil || ttl < 1 {
		form.Faults["token_ttl_seconds"] = "is no lifetime: write 900, 15m or 1h30m, or leave it empty for that of the server"
	}
	return form, ttl
}

// refuse notes the faults in an error. It returns false for an error that is no fault of the form.
func (f *clientForm) refuse(err error) bool {
	if errors.Is(err, models.ErrClientExists) {
		f.Faults["client_id"] = "is taken: there is a client with this id"
		return true
	}
	faults, is := errors.AsType[admin.Invalid](err)
	for _, fault := range faults {
		if f.Faults[fault.Field] == "" {
			f.Faults[fault.Field] = fault.Detail
		}
	}
	return is
}

// register is POST /clients/new. The answer has the secret, this once.
func (v *visit) register() error {
	form, ttl := formOf(v.r.PostForm)
	form.New = true
	id := cmp.Or(form.ID, form.GeneratedID)
	registration := admin.Registration{ClientName: form.Name, Scope: form.Scope, ResourceServer: form.ResourceServer}
	if id != "" {
		registration.ClientID = &id
	}
	if ttl != 0 {
		registration.TokenTTLSeconds = &ttl
	}
	if err := registration.Check(); err != nil {
		form.refuse(err)
	}
	if len(form.Faults) > 0 {
		return v.showForm(http.StatusBadRequest, form)
	}
	client, secret, err := v.actions("").Register(v.context(), registration)
	if err != nil && form.refuse(err) {
		return v.showForm(http.StatusConflict, form)
	}
	if err != nil {
		return err
	}
	return v.showSecret("Registered", secretPage{Client: client, Secret: secret})
}

// changeClient is POST /client/edit.
func (v *visit) changeClient() error {
	form, ttl := formOf(v.r.PostForm)
	changes := admin.Changes{ClientName: &form.Name, Scope: &form.Scope, ResourceServer: &form.ResourceServer, TokenTTLSeconds: &ttl}
	if err := changes.Check(); err != nil {
		form.refuse(err)
	}
	if len(form.Faults) > 0 {
		return v.showForm(http.StatusBadRequest, form)
	}
	if _, err := v.actions(form.Version).Update(v.context(), form.ID, changes); err != nil {
		return err
	}
	return v.redirect(clientURL(form.ID) + "&done=changed")
}

// secretPage shows a new secret.
type secretPage struct {
	*models.Client
	Secret     string
	OldExpires time.Time // when the old secret ends; zero: it has ended, or there was none
	Rotated    bool
	Curl       string // a command that gets a token with the secret
}

func (v *visit) showSecret(title string, page secretPage) error {
	credentials := quoteCurl(page.ClientID + ":" + page.Secret)
	page.Curl = "printf %s " + quoteShell(`user = "`+credentials+`"`) + " | curl -sS --fail-with-body -K - -d grant_type=client_credentials " + quoteShell(v.Issuer+"/token")
	return v.show(http.StatusOK, "secret", title, page)
}

// quoteCurl escapes text within double quotes of a configuration of curl.
func quoteCurl(text string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) }

// quoteShell returns text as one word for a shell.
func quoteShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
