package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"chit/models"
	"chit/repository"
	"chit/tokens"
)

type tokenCommands struct {
	List    tokenListCommand    `cmd:"" help:"List the tokens of a client."`
	Inspect tokenInspectCommand `cmd:"" help:"Show the client and the state of a token."`
	Revoke  tokenRevokeCommand  `cmd:"" help:"Revoke one token, all tokens of a client, or all tokens."`
}

// tokenView is a token in JSON, with the names of RFC 7662 §2.2.
type tokenView struct {
	Active   bool            `json:"active"`
	ID       string          `json:"jti"`
	ClientID string          `json:"client_id"`
	Scope    string          `json:"scope,omitempty"`
	Audience models.Audience `json:"aud,omitempty"`
	Binding  models.Binding  `json:"cnf,omitzero"`
	IssuedAt int64           `json:"iat"` // seconds
	Expires  int64           `json:"exp"` // seconds
}

func tokenViewOf(token models.AccessToken, issuer *models.Client) tokenView {
	return tokenView{
		Active:   token.Active(issuer, time.Now()),
		ID:       token.ID,
		ClientID: token.ClientID,
		Scope:    token.Scope,
		Audience: token.Audience,
		Binding:  token.Binding,
		IssuedAt: token.IssuedAt.Unix(),
		Expires:  token.ExpiresAt.Unix(),
	}
}

// oneToken has the flags that select one token.
type oneToken struct {
	ID    string `name:"id" placeholder:"JTI" help:"The token's jti, from a log line or an introspection."`
	Token string `placeholder:"-" help:"- reads the token from standard input. A token as an argument is refused, because other users would see it in the process list."`
}

// check returns every fault. It never repeats a text that may be a token.
func (o oneToken) check() error {
	faults := []error{onlyPiped(o.Token, "chit token …")}
	if o.ID != "" && !tokens.IsID(o.ID) {
		faults = append(faults, errors.New("--id: is not a jti of 64 lower-case hexadecimal digits; a token itself goes to standard input, with --token -"))
	}
	return errors.Join(faults...)
}

// onlyPiped returns a fault unless the flag --token of a command is - or not given.
func onlyPiped(token, command string) error {
	if token == "" || token == "-" {
		return nil
	}
	return fmt.Errorf("--token: only - is allowed, because other users would see a token in the process list. Pipe the token in: printf %%s \"$TOKEN\" | %s --token -", command)
}

// find returns the token, or an error if there is none.
func (o oneToken) find(c *console, store *tokens.Store) (token models.AccessToken, err error) {
	if o.ID != "" {
		token, err = store.FindByID(c, o.ID)
	} else {
		var text string
		if text, err = readHidden(c, "token"); err != nil {
			return token, err
		}
		text = strings.TrimSpace(text)
		if !tokens.Recognise(text) {
			return token, errors.New("no such token: the text is not a token, its form or its checksum is wrong")
		}
		token, err = store.Find(c, text)
	}
	if errors.Is(err, models.ErrTokenNotFound) {
		return token, errors.New("no such token: it has expired, was revoked, or was never issued")
	}
	return token, err
}

// exactlyOne returns a fault unless exactly one of the named flags is given.
func exactlyOne(names string, given ...bool) error {
	count := 0
	for _, is := range given {
		if is {
			count++
		}
	}
	if count != 1 {
		return fmt.Errorf("give exactly one of %s", names)
	}
	return nil
}

type tokenInspectCommand struct {
	stores     `embed:""`
	outputFlag `embed:""`
	oneToken   `embed:""`
}

func (*tokenInspectCommand) Help() string {
	return "Examples:\n\n  chit token inspect --id $JTI\n\n  printf %s \"$TOKEN\" | chit token inspect --token -"
}

// Run prints the token.
func (cmd *tokenInspectCommand) Run(c *console) error {
	if err := errors.Join(cmd.Complete(), cmd.oneToken.check(), exactlyOne("--id, --token -", cmd.ID != "", cmd.Token != "")); err != nil {
		return usageError{err}
	}
	return cmd.withTokens(c, func(clients *repository.Clients, store *tokens.Store) error {
		token, err := cmd.find(c, store)
		if err != nil {
			return err
		}
		issuer, err := clients.Find(c, token.ClientID)
		if err != nil && !errors.Is(err, models.ErrClientNotFound) {
			return err
		}
		view := tokenViewOf(token, issuer)
		rows := []table.Row{
			{"STATE", state(token, issuer, time.Now())},
			{"JTI", token.ID},
			{"CLIENT_ID", token.ClientID},
			{"SCOPE", token.Scope},
			{"ISSUED (UTC)", toTheMillisecond(token.IssuedAt)},
			{"EXPIRES (UTC)", dateTime(token.ExpiresAt)},
		}
		for _, optional := range []struct{ name, value string }{
			{"FOR", string(token.Audience)}, {"BOUND TO CERTIFICATE", token.Binding.Certificate}, {"BOUND TO KEY", token.Binding.Key},
		} {
			if optional.value != "" {
				rows = append(rows, table.Row{optional.name, optional.value})
			}
		}
		return cmd.print(c, view, nil, rows)
	})
}

// state describes the result of models.AccessToken.Check in words.
func state(token models.AccessToken, issuer *models.Client, now time.Time) string {
	err := token.Check(issuer, now)
	if err == nil {
		return "active"
	}
	why, _ := errors.AsType[models.Inactive](err) // Check returns no other error
	switch why {
	case models.TokenOfUnknown:
		return "inactive: its client does not exist"
	case models.TokenOfDisabled:
		return "inactive: its client is disabled"
	case models.TokenExpired:
		return "inactive: expired"
	case models.TokenOfFormer:
		return "inactive: issued to a former client of this id"
	}
	return "inactive: revoked with all tokens of its client"
}
