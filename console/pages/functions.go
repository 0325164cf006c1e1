package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// functions are what templates can call.
var functions = template.FuncMap{
	"breakable": breakable,
	"clientURL": clientURL,
	"duration":  durationText,
	"lifetime":  lifetimeText,
	"number":    number,
	"rate":      rate,
	"short":     short,
	"tokenURL":  tokenURL,
	"when":      when,
	"words":     strings.Fields,
}

func clientURL(id string) string { return "/client?id=" + url.QueryEscape(id) }

func tokenURL(jti string) string { return "/tokens/one?jti=" + url.QueryEscape(jti) }

// number returns a number of any integer type with commas: 12,345.
func number(n any) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// rate returns a number a second, with one decimal place if it is small.
func rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return number(int64(perSecond + 0.5))
}

// breakable returns the name of an event, with places where a line may end.
func breakable(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), "_", "_<wbr>"))
}

// short returns the beginning of a jti. The whole of it is in the link.
func short(jti string) string {
	if len(jti) <= 12 {
		return jti
	}
	return jti[:12] + "…"
}

// durationText returns the time of a request: 0.42 ms, 12 ms, 1.3 s.
func durationText(took time.Duration) string {
	milliseconds := float64(took) / float64(time.Millisecond)
	switch {
	case took == 0:
		return "–"
	case milliseconds < 1:
		return fmt.Sprintf("%.2f ms", milliseconds)
	case milliseconds < 10:
		return fmt.Sprintf("%.1f ms", milliseconds)
	case milliseconds < 1000:
		return fmt.Sprintf("%.0f ms", milliseconds)
	}
	return fmt.Sprintf("%.1f s", milliseconds/1000)
}

// lifetimeText returns a number of seconds for people: 15 min, 1 h 30 min, 2 d.
func lifetimeText(seconds int64) string {
	var parts []string
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}} {
		if n := seconds / unit.seconds; n > 0 {
			parts = append(parts, number(n)+" "+unit.name)
			seconds -= n * unit.seconds
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}

// when returns a time relative to now, with the exact time for the pointer and for programs. at is a
// time.Time or a *time.Time; nil and the zero time mean never.
func when(now time.Time, at any) template.HTML {
	var t time.Time
	switch at := at.(type) {
	case time.Time:
		t = at
	case *time.Time:
		if at != nil {
			t = *at
		}
	}
	if t.IsZero() {
		return `<span class="quiet">never</span>`
	}
	t = t.UTC()
	// Neither text has a character that HTML would need to escape.
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s UTC">%s</time>`, t.Format(time.RFC3339), t.Format("2006-01-02 15:04:05"), relative(t.Sub(now), t)))
}

// relative returns a time that is ahead by this duration.
func relative(ahead time.Duration, t time.Time) string {
	form := "in %s"
	if ahead < 0 {
		form, ahead = "%s ago", -ahead
	}
	amount := ""
	switch {
	case ahead < time.Second:
		return "now"
	case ahead < 2*time.Minute:
		amount = fmt.Sprintf("%.0f s", ahead.Seconds())
	case ahead < 2*time.Hour:
		amount = fmt.Sprintf("%.0f min", ahead.Minutes())
	case ahead < 48*time.Hour:
		amount = fmt.Sprintf("%.0f h", ahead.Hours())
	case ahead < 60*24*time.Hour:
		amount = fmt.Sprintf("%.0f days", ahead.Hours()/24)
	default:
		return t.Format("2006-01-02")
	}
	return fmt.Sprintf(form, amount)
}
