package repository

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"
)

// statementKey is where a statement in progress is kept.
const statementKey = "chit:statement"

// statement is a statement in progress.
type statement struct {
	began time.Time
	span  trace.Span // nil: it is not traced
}

// observer is told about statements.
type observer struct {
	done   func(kind string, took time.Duration)
	tracer trace.Tracer
}

// Observe calls done after each statement with its kind (query, create, update, delete, row or raw) and with
// how long it took. If tracer is not nil, a statement for a traced request gets a span, without its text and
// its values. Observe must not be called while statements run.
func (c *Clients) Observe(done func(kind string, took time.Duration), tracer trace.Tracer) error {
	o := observer{done, tracer}
	callbacks := c.db.Callback()
	return errors.Join(
		callbacks.Query().Before("*").Register("chit:begin", o.begin("query")), callbacks.Query().After("*").Register("chit:end", o.end("query")),
		callbacks.Create().Before("*").Register("chit:begin", o.begin("create")), callbacks.Create().After("*").Register("chit:end", o.end("create")),
		callbacks.Update().Before("*").Register("chit:begin", o.begin("update")), callbacks.Update().After("*").Register("chit:end", o.end("update")),
		callbacks.Delete().Before("*").Register("chit:begin", o.begin("delete")), callbacks.Delete().After("*").Register("chit:end", o.end("delete")),
		callbacks.Row().Before("*").Register("chit:begin", o.begin("row")), callbacks.Row().After("*").Register("chit:end", o.end("row")),
		callbacks.Raw().Before("*").Register("chit:begin", o.begin("raw")), callbacks.Raw().After("*").Register("chit:end", o.end("raw")),
	)
}

func (o observer) begin(kind string) func(*gorm.DB) {
	return func(tx *gorm.DB) {
		s := &statement{began: time.Now()}
		if o.tracer != nil && trace.SpanContextFromContext(tx.Statement.Context).IsValid() {
			_, s.span = o.tracer.Start(tx.Statement.Context, kind+" "+tx.Statement.Table, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
				attribute.String("db.system.name", tx.Name()), attribute.String("db.operation.name", kind), attribute.String("db.collection.name", tx.Statement.Table)))
		}
		tx.InstanceSet(statementKey, s)
	}
}

func (o observer) end(kind string) func(*gorm.DB) {
	return func(tx *gorm.DB) {
		found, _ := tx.InstanceGet(statementKey)
		s, is := found.(*statement)
		if !is {
			return
		}
		o.done(kind, time.Since(s.began))
		if s.span == nil {
			return
		}
		if tx.Error != nil && !errors.Is(tx.Error, gorm.ErrRecordNotFound) {
			s.span.SetStatus(codes.Error, "")
		}
		s.span.End()
	}
}
