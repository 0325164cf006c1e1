package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"

	"chit/admin"
)

// maxBody is the size of the largest request body, in bytes.
const maxBody = 64 << 10

// object is a JSON object from an operator, and what is wrong with its members.
type object struct {
	members map[string]json.RawMessage
	faults  admin.Invalid
}

// readObject reads the body of a request. It must be a JSON object whose members have these names. A body
// that is not there counts as an object without members.
func (x *call) readObject(names ...string) (*object, error) {
	r := x.Request()
	if r.ContentLength == 0 {
		return &object{}, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" && kind != "application/merge-patch+json" {
		return nil, fault(http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(x.Response(), r.Body, maxBody))
	body, err := decodeObject(decoder, names)
	if err == nil {
		if _, err = decoder.Token(); err == nil {
			err = errors.New("something follows the object")
		} else if err == io.EOF {
			return body, nil
		}
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, fault(http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB")
	}
	return nil, fault(http.StatusBadRequest, "the body is not one well-formed JSON object")
}

// decodeObject decodes an object. Unknown names and names that are there twice are faults of the object.
func decodeObject(decoder *json.Decoder, names []string) (*object, error) {
	body := &object{members: map[string]json.RawMessage{}}
	first, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if first != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		body.add(name.(string), value, names)
	}
	_, err = decoder.Token()
	return body, err
}

func (o *object) add(name string, value json.RawMessage, names []string) {
	_, twice := o.members[name]
	switch {
	case twice:
		o.wrong(name, "is there twice")
	case slices.Contains(readOnly, name) && !slices.Contains(names, name):
		o.wrong(name, "cannot be set")
	case !slices.Contains(names, name):
		o.wrong(shortened(name), "is not known here")
	default:
		o.members[name] = value
	}
}

func (o *object) wrong(field, detail string) {
	o.faults = append(o.faults, admin.Fault{Field: field, Detail: detail})
}

// shortened keeps a name that an operator made up short.
func shortened(name string) string {
	if len(name) > 64 {
		return fmt.Sprintf("%.64s…", name)
	}
	return name
}

// member returns a member of an object, or nil if it is not there. kind names its type for people.
func member[T any](o *object, name, kind string) *T {
	raw, found := o.members[name]
	if !found {
		return nil
	}
	var value *T
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		o.wrong(name, "is not "+kind)
		return nil
	}
	return value
}

// isNull reports whether a member is there and null.
func (o *object) isNull(name string) bool { return string(o.members[name]) == "null" }

// textOrNull returns a text, an empty one for null, or nil if the member is absent.
func (o *object) textOrNull(name string) *string {
	if o.isNull(name) {
		return new(string)
	}
	value := member[string](o, name, "a text or null")
	if value != nil && *value == "" {
		o.wrong(name, "is empty: write null to take it away")
	}
	return value
}

// err returns the faults of the object together with those of err, if that is an Invalid.
func (o *object) err(err error) error {
	if more, is := errors.AsType[admin.Invalid](err); is {
		o.faults, err = append(o.faults, more...), nil
	}
	if err != nil || len(o.faults) == 0 {
		return err
	}
	return o.faults
}
