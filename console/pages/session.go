package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"chit/console"
	"chit/models"
)

// The cookies. That of a session is an access token of this server. That of a login only makes the token of its
// form. Browsers that speak TLS get the names with the prefix, which no other host can set.
const (
	sessionCookie = "chit_session"
	loginCookie   = "chit_login"
	hostPrefix    = "__Host-"
)

// The routes that do not look at the session. Whoever logs in may have one that has ended.
const (
	loginRoute = "POST /login"
	assetRoute = "GET /assets/{version}/{name}"
)

// identify finds the operator, who must be one of who.
func (v *visit) identify(who who) error {
	session := v.cookie(sessionCookie)
	v.seed = v.cookie(loginCookie)
	if session == "" || v.route == loginRoute || v.route == assetRoute {
		return v.unidentified(who)
	}
	token, err := v.ActiveToken(v.context(), session)
	if errors.Is(err, models.ErrTokenNotFound) {
		return v.unidentified(who)
	}
	if err != nil {
		if who == anybody {
			return nil
		}
		return err
	}
	scopes := models.ParseScopes(token.Scope)
	v.mayChange = slices.Contains(scopes, console.ScopeAdmin)
	if !v.mayChange && !slices.Contains(scopes, console.ScopeRead) {
		return v.unidentified(who)
	}
	v.operator, v.seed = token, session
	if who == changers && !v.mayChange {
		return errReadOnly
	}
	return nil
}

// unidentified returns the error for a visitor without a session.
func (v *visit) unidentified(who who) error {
	if who == anybody {
		return nil
	}
	return errNoSession
}

func (v *visit) cookie(name string) string {
	for _, name := range []string{hostPrefix + name, name} {
		if cookie, err := v.r.Cookie(name); err == nil && cookie.Value != "" {
			return cookie.Value
		}
	}
	return ""
}

// setCookie sets a cookie that scripts cannot read and that other sites cannot make a browser send. A lifetime of
// 0 lasts until the browser ends, and a negative one deletes the cookie.
func (v *visit) setCookie(name, value string, lifetime time.Duration) {
	secure := v.r.TLS != nil || strings.HasPrefix(v.r.Header.Get("Origin"), "https://")
	if secure {
		name = hostPrefix + name
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	})
}

var sameOrigin = http.NewCrossOriginProtection()

// checkForm returns an error for a form that does not come from a page of the console.
func (v *visit) checkForm() error {
	if err := sameOrigin.Check(v.r); err != nil {
		return errForged
	}
	if err := v.r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return errTooLarge
		}
		return errMalformed
	}
	if v.seed == "" || !hmac.Equal([]byte(v.r.PostForm.Get("form_token")), []byte(v.FormToken())) {
		return errForged
	}
	return nil
}

// FormToken returns what every form of this session has in a hidden field. Another site does not know it.
func (v *visit) FormToken() string {
	mac := hmac.New(sha256.New, []byte(v.seed))
	mac.Write([]byte("a form of the console"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type loginPage struct {
	Next     string
	ClientID string
	Notice   string
	Fault    string
}

// askLogin is GET /login.
func (v *visit) askLogin() error {
	next := localPath(v.r.URL.Query().Get("next"))
	if v.operator.ID != "" {
		return v.redirect(next)
	}
	page := loginPage{Next: next}
	switch v.r.URL.Query().Get("done") {
	case "logout":
		page.Notice = "You are logged out, and the session has ended."
	case "all":
		page.Notice = "All tokens have ended, also that of your session."
	}
	return v.showLogin(http.StatusOK, page)
}

// showLogin shows the form. Its token is made from a cookie, because there is no session yet.
func (v *visit) showLogin(status int, page loginPage) error {
	if v.seed = v.cookie(loginCookie); v.seed == "" {
		v.seed = rand.Text()
		v.setCookie(loginCookie, v.seed, 0)
	}
	return v.show(status, "login", "Log in", page)
}

// login is POST /login. The session's token is issued by the login of the OAuth endpoints, which counts failures.
func (v *visit) login() error {
	form := v.r.PostForm
	page := loginPage{Next: localPath(form.Get("next")), ClientID: form.Get("client_id")}
	answer, err := v.logIn(form.Get("client_id"), form.Get("client_secret"))
	if err != nil {
		return err
	}
	if answer.status == http.StatusOK {
		v.setCookie(sessionCookie, answer.body.AccessToken, time.Duration(answer.body.ExpiresIn)*time.Second)
		return v.redirect(page.Next)
	}
	status := answer.status
	switch answer.body.Error {
	case "invalid_client", "invalid_request":
		status, page.Fault = http.StatusUnauthorized, "The client id or the secret is wrong, or the client is disabled."
	case "invalid_scope", "unauthorized_client":
		status, page.Fault = http.StatusForbidden, "This client may not use the console. It needs the scope "+console.ScopeRead+" to look, or "+console.ScopeAdmin+" to change things."
	default:
		page.Fault = "The server cannot check the secret at the moment. Try again soon."
		if status == http.StatusTooManyRequests {
			page.Fault = "There were too many wrong secrets. Try again in " + answer.retryAfter + " seconds."
		}
		v.w.Header().Set("Retry-After", answer.retryAfter)
	}
	return v.showLogin(status, page)
}

// logout is POST /logout. It ends the token of the session.
func (v *visit) logout() error {
	v.setCookie(sessionCookie, "", -time.Second)
	if err := v.actions("").RevokeToken(v.context(), v.operator); err != nil {
		return err
	}
	return v.redirect("/login?done=logout")
}

// localPath returns a path of the console with its query. Anything else, such as another site, becomes the first
// page.
func localPath(text string) string {
	target, err := url.Parse(text)
	if err != nil || target.Scheme != "" || target.Host != "" || !strings.HasPrefix(target.Path, "/") ||
		strings.HasPrefix(target.Path, "//") || strings.Contains(text, `\`) || strings.HasPrefix(target.Path, "/log") {
		return "/"
	}
	return target.RequestURI()
}
