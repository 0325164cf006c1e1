package models

import "errors"

// "Not found" is an answer and not a failure.
var (
	ErrClientNotFound = errors.New("no such client")
	ErrTokenNotFound  = errors.New("no such token")
)

// ErrUnavailable wraps every failure to reach the database or Redis. It never means "not found": the
// question was not answered.
var ErrUnavailable = errors.New("storage is unavailable")

// ErrNotPermitted also wraps a failure if the role of the server in the database or in Redis may not do
// something.
var ErrNotPermitted = errors.New("the role in the storage lacks a privilege")

// ErrSchema also wraps a failure if the database lacks a migration.
var ErrSchema = errors.New("the database lacks a migration")

// The requests that the rules refuse.
var (
	ErrAuthenticationFailed = errors.New("client authentication failed")
	ErrPublicClient         = errors.New("public clients are refused")
	ErrNoSecret             = errors.New("the client authenticates without a secret")
	ErrGrantNotAllowed      = errors.New("the client is not registered for client credentials")
	ErrScopeNotAllowed      = errors.New("a requested scope is not allowed for the client")
	ErrResourceMalformed    = errors.New("a requested resource is not an absolute URI without a fragment")
	ErrResourceNotAllowed   = errors.New("a requested resource is not allowed for the client")
	ErrNoCertificate        = errors.New("the client gets certificate-bound tokens only, and has shown no certificate")
	ErrNoProof              = errors.New("the client gets DPoP-bound tokens only, and has sent no proof")
	ErrForeignToken         = errors.New("the token was issued to another client")
	ErrClientExists         = errors.New("a client with this id exists already")
)
