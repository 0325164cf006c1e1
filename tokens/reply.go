package tokens

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A command counts only with a reply of its own. When go-redis cannot set up a connection, or a server
// refuses its password, it returns an error for the pipeline as a whole and leaves commands that look
// as if they had succeeded with a zero.
var (
	errNoReply    = errors.New("no reply")
	errWrongReply = errors.New("a reply that does not fit the command")
)

// unanswered is the value of a command that counts, before its reply has come. No reply is negative.
const unanswered = -1

// counting returns a command whose reply is a number.
func counting(ctx context.Context, args ...any) *redis.IntCmd {
	command := redis.NewIntCmd(ctx, args...)
	command.SetVal(unanswered)
	return command
}

// failure returns why a command of a pipeline has not been acknowledged, or nil. whole is the error of
// the pipeline.
func failure(command redis.Cmder, whole error) error {
	if err := command.Err(); err != nil {
		return err
	}
	switch command := command.(type) {
	case *redis.IntCmd:
		return accept(command.Val() >= 0, command.Val() == unanswered, whole)
	case *redis.StatusCmd:
		return accept(command.Val() == "OK", command.Val() == "", whole)
	case *redis.StringCmd: // no value that is kept here is empty
		return accept(command.Val() != "", command.Val() == "", whole)
	}
	return fmt.Errorf("%w: %T", errWrongReply, command)
}

func accept(good, missing bool, whole error) error {
	switch {
	case good:
		return nil
	case missing && whole != nil:
		return fmt.Errorf("%w: %w", errNoReply, whole)
	case missing:
		return errNoReply
	}
	return errWrongReply
}

// valueOf returns the text at place i of a reply to MGET for count keys, or redis.Nil for a key that is
// not there.
func valueOf(reply *redis.SliceCmd, i, count int, whole error) (string, error) {
	if err := reply.Err(); err != nil {
		return "", err
	}
	if len(reply.Val()) != count {
		return "", accept(false, len(reply.Val()) == 0, whole)
	}
	switch value := reply.Val()[i].(type) {
	case string:
		return value, nil
	case nil:
		return "", redis.Nil
	}
	return "", errWrongReply
}
