package models_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"chit/models"
)

// Every column of a client is part of its version, except its retired secrets, its federations and its last use.
func TestClientVersion(t *testing.T) {
	now, ttl := time.Now(), int64(900)
	versions := map[string]string{(&models.Client{}).Version(): "none"}
	fields := reflect.VisibleFields(reflect.TypeFor[models.Client]())
	for _, field := range fields {
		var client models.Client
		switch value := reflect.ValueOf(&client).Elem().FieldByIndex(field.Index); value.Interface().(type) {
		case string:
			value.SetString("x")
		case bool:
			value.SetBool(true)
		case *int64:
			value.Set(reflect.ValueOf(&ttl))
		case time.Time:
			value.Set(reflect.ValueOf(now))
		case *time.Time:
			value.Set(reflect.ValueOf(&now))
		case models.Flag:
			value.SetBool(true)
		case models.Text:
			value.SetString("x")
		case []models.RetiredSecret, []models.Federation, *models.Use, nil:
			continue
		default:
			t.Fatalf("%s has a type that this test does not know", field.Name)
		}
		version := client.Version()
		if same, found := versions[version]; found {
			t.Errorf("%s is not part of the version: it is that of %s", field.Name, same)
		}
		versions[version] = field.Name
	}
}

// A version is that of the row: it does not depend on the zone of a time, nor on what the database does not
// store.
func TestClientVersionOfTheSameRow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	local := at.In(time.FixedZone("", 3600)).Add(99 * time.Nanosecond)
	one, other := models.Client{ClientSecretHash: "secret", CreatedAt: at, DisabledAt: &at}, models.Client{ClientSecretHash: "secret", CreatedAt: local, DisabledAt: &local}
	if one.Version() != other.Version() {
		t.Error("the versions differ")
	}
	if strings.Contains(one.Version(), "secret") {
		t.Errorf("the version reveals the hash: %s", one.Version())
	}
}
