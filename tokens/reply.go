package tokens

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A command is acknowledged only by its own reply. If go-redis cannot connect, or the server refuses the
// password, go-redis returns one error for the whole pipeline. The commands then look as if they had
// succeeded with the value 0.
var (
	errNoReply    = errors.New("no reply")
	errWrongReply = errors.New("a reply that does not fit the command")
)

// unanswered is the value of a numeric command before its reply arrives. Real replies are not negative.
const unanswered = -1

// counting returns a command with a numeric reply.
func counting(ctx context.Context, args ...any) *redis.IntCmd {
	command := redis.NewIntCmd(ctx, args...)
	command.SetVal(unanswered)
	return command
}

// failure returns the reason why a command in a pipeline was not acknowledged, or nil. whole is the error
// of the pipeline.
func failure(command redis.Cmder, whole error) error {
	if err := command.Err(); err != nil {
		return err
	}
	switch command := command.(type) {
	case *redis.IntCmd:
		return accept(command.Val() >= 0, command.Val() == unanswered, whole)
	case *redis.StatusCmd:
		return accept(command.Val() == "OK", command.Val() == "", whole)
	case *redis.StringCmd: // the store never writes an empty value
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

// valueOf returns value i in the reply to an MGET of count keys. It returns redis.Nil if the key does not
// exist.
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
