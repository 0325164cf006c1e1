package pages

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"unicode"
	"unicode/utf8"

	"chit/console"
)

// fault is an error with a page of its own.
type fault struct {
	status int
	title  string
	detail string // what to do
}

func (f *fault) Error() string { return f.title }

var (
	errNoPage    = &fault{http.StatusNotFound, "There is no such page", "Look at the address, or begin at the overview."}
	errReadOnly  = &fault{http.StatusForbidden, "You may look, but not change anything", "Your client has the scope " + console.ScopeRead + ". Changes need " + console.ScopeAdmin + "."}
	errForged    = &fault{http.StatusForbidden, "The form is not of your session", "Nothing was changed. You may have logged out or in again since the form was shown: go back, load the page again and repeat it."}
	errTooLarge  = &fault{http.StatusRequestEntityTooLarge, "The form is too large", "A form has at most 64 KiB. Nothing was changed."}
	errMalformed = &fault{http.StatusBadRequest, "The form is malformed", "Nothing was changed. Go back, load the page again and repeat it."}
	errNoSession = errors.New("there is no session")
)

// titles are those of pages for errors of actions.
var titles = map[int]string{
	http.StatusNotFound:            "It is not there",
	http.StatusConflict:            "That is not possible",
	http.StatusPreconditionFailed:  "Somebody else has changed the client",
	http.StatusServiceUnavailable:  "The server cannot reach its storage",
	http.StatusInternalServerError: "Something went wrong",
}

// faultPage is the page for an error.
type faultPage struct {
	Detail    string
	RequestID string
	Back      string // URL of a page to go on with
}

// answer writes the page for an error.
func (v *visit) answer(err error) {
	if errors.Is(err, errNoSession) {
		v.withoutSession()
		return
	}
	page := faultPage{RequestID: v.requestID, Back: "/"}
	title := ""
	if f, is := errors.AsType[*fault](err); is {
		v.status, title, page.Detail = f.status, f.title, f.detail
	} else {
		v.status, page.Detail = console.Explain(err)
		page.Detail = sentence(page.Detail)
		title = cmp.Or(titles[v.status], http.StatusText(v.status))
		if v.status == http.StatusPreconditionFailed {
			page.Detail = "Nothing was changed. Look at the client as it is now, and repeat your change."
		}
		if id := v.r.FormValue("id"); id != "" && v.status != http.StatusNotFound && v.operator.ID != "" {
			page.Back = clientURL(id)
		}
	}
	if v.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "1")
	}
	if err := v.show(v.status, "fault", title, page); err != nil {
		http.Error(v.w, title, v.status)
	}
}

// withoutSession sends a visitor to the login, and from there back to the page. A form is not sent again.
func (v *visit) withoutSession() {
	switch {
	case v.r.URL.Path == "/live", v.r.Header.Get("Sec-Fetch-Mode") == "cors":
		v.status = http.StatusUnauthorized // a script, which cannot log in
		http.Error(v.w, "there is no session", v.status)
	case v.r.Method == http.MethodPost:
		_ = v.showLogin(http.StatusUnauthorized, loginPage{Next: "/", Fault: "Your session has ended, and nothing was changed. Log in and repeat it."}) // the operator may be gone
	case v.r.URL.Path == "/" && v.r.URL.RawQuery == "":
		_ = v.redirect("/login")
	default:
		_ = v.redirect("/login?next=" + url.QueryEscape(v.r.URL.RequestURI()))
	}
}

// sentence returns the text with a capital letter and a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
