package models

import "errors"

// Not found is not a failure: the answer to the question is no.
var (
	ErrClientNotFound = errors.New("no such client")
	ErrTokenNotFound  = errors.New("no such token")
)

// ErrUnavailable wraps every failure to reach the database or Redis. It never stands for "no":
// a caller that meets it has learned nothing.
var ErrUnavailable = errors.New("storage is unavailable")

// What a rule refuses.
var (
	ErrAuthenticationFailed = errors.New("client authentication failed")
	ErrPublicClient         = errors.New("public clients are refused")
	ErrGrantNotAllowed      = errors.New("the client is not registered for client credentials")
	ErrScopeNotAllowed      = errors.New("a requested scope is not allowed for the client")
	ErrForeignToken         = errors.New("the token was issued to another client")
	ErrClientExists         = errors.New("a client with this id exists already")
)
