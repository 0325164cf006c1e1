package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// assetVersion is part of the paths of assets, so that browsers may keep them.
var assetVersion = digest(assetFiles)

func digest(files fs.FS) string {
	hash := sha256.New()
	names, _ := fs.Glob(files, "assets/*") // the pattern is well-formed
	slices.Sort(names)
	for _, name := range names {
		content, _ := fs.ReadFile(files, name) // it is embedded
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// templates returns the pages by name, each with the layout and the parts. They are parsed when the first page is
// shown, because most nodes never show one.
var templates = sync.OnceValue(func() map[string]*template.Template { return parse(templateFiles) })

func parse(files fs.FS) map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	pages := map[string]*template.Template{}
	names, _ := fs.Glob(files, "templates/*.html") // the pattern is well-formed
	for _, name := range names {
		pages[strings.TrimSuffix(path.Base(name), ".html")] = template.Must(template.Must(shared.Clone()).ParseFS(files, name))
	}
	return pages
}

// view is what a template is made from.
type view struct {
	*visit
	Title string
	Page  any // of the type that the template knows
	At    time.Time
}

// Section returns the part of the console that the page belongs to, for the menu.
func (v view) Section() string {
	section, _, _ := strings.Cut(strings.TrimPrefix(v.r.URL.Path, "/"), "/")
	if section == "client" {
		return "clients"
	}
	return section
}

// The methods below are for the templates.

// Operator returns the client id of the operator; empty: nobody has logged in.
func (v view) Operator() string { return v.operator.ClientID }

// MayChange reports whether the operator may change something.
func (v view) MayChange() bool { return v.mayChange }

// Asset returns the path of an asset.
func (v view) Asset(name string) string { return "/assets/" + assetVersion + "/" + name }

// show renders a page.
func (v *visit) show(status int, name, title string, page any) error {
	var body bytes.Buffer
	if err := templates()[name].ExecuteTemplate(&body, "layout", view{visit: v, Title: title, Page: page, At: v.Now()}); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.status = status
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body.Bytes()) // the operator may be gone
	return nil
}

// redirect sends the browser to another page of the console.
func (v *visit) redirect(to string) error {
	v.status = http.StatusSeeOther
	http.Redirect(v.w, v.r, to, v.status)
	return nil
}

// asset is GET /assets/{version}/{name}.
func (v *visit) asset() error {
	name := v.r.PathValue("name")
	content, err := assetFiles.ReadFile("assets/" + name)
	if err != nil || v.r.PathValue("version") != assetVersion {
		return errNoPage
	}
	v.w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	v.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = v.w.Write(content) // the operator may be gone
	return nil
}
