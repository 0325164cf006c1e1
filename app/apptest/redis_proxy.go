package apptest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// RedisProxy is a proxy that speaks RESP. For each connection it calls a function with one command after
// the other. The function decides what happens to the command.
type RedisProxy struct {
	URL  string // URL of the server with the address of the proxy
	Addr string

	target string
	each   func(*Exchange)
	conns  connections
}

// Exchange is a command in a RedisProxy.
type Exchange struct {
	Command []string // the name is in capitals
	Conn    *ProxyConn

	raw []byte
}

// ProxyConn is a client's connection to a RedisProxy. Its fields are for the function that decides.
type ProxyConn struct {
	Wrote bool // a command has written something since the last WAIT

	client, server net.Conn
	replies        *bufio.Reader
	cut            bool
}

// Pass forwards a command and its reply unchanged.
func Pass(x *Exchange) { x.Reply(x.Forward()) }

// StartRedisProxy returns a proxy for the server at a URL. It ends with the test.
func StartRedisProxy(t testing.TB, redisURL string, each func(*Exchange)) *RedisProxy {
	t.Helper()
	parsed, err := url.Parse(redisURL)
	must(t, err)
	p := &RedisProxy{target: parsed.Host, each: each}
	p.Addr = p.conns.listen(t, p.serve)
	parsed.Host = p.Addr
	p.URL = parsed.String()
	return p
}

// CutAll ends every connection.
func (p *RedisProxy) CutAll() { p.conns.cutAll() }

func (p *RedisProxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.conns.keep(server)()
	conn := &ProxyConn{client: client, server: server, replies: bufio.NewReader(server)}
	requests := bufio.NewReader(client)
	for !conn.cut {
		raw, command, err := readCommand(requests)
		if err != nil {
			return
		}
		p.each(&Exchange{Command: command, Conn: conn, raw: raw})
	}
}

// Forward sends the command to the server and returns the reply, or nothing if the connection has ended.
func (x *Exchange) Forward() []byte {
	reply, err := x.forward()
	if err != nil {
		x.Cut()
		return nil
	}
	return reply
}

func (x *Exchange) forward() ([]byte, error) {
	if _, err := x.Conn.server.Write(x.raw); err != nil {
		return nil, err
	}
	var reply bytes.Buffer
	err := copyReply(&reply, x.Conn.replies)
	return reply.Bytes(), err
}

// Reply sends a reply in RESP to the client.
func (x *Exchange) Reply(raw []byte) {
	if _, err := x.Conn.client.Write(raw); err != nil {
		x.Cut()
	}
}

// Fail replies with an error, such as "OOM command not allowed".
func (x *Exchange) Fail(message string) { x.Reply([]byte("-" + message + "\r\n")) }

// Half sends the first half of a reply and ends the connection.
func (x *Exchange) Half(raw []byte) {
	_, _ = x.Conn.client.Write(raw[:len(raw)/2]) // the connection is cut anyway
	x.Cut()
}

// HalfClose tells the client that no more data will come, and still reads what it sends.
func (x *Exchange) HalfClose() {
	if tcp, is := x.Conn.client.(*net.TCPConn); is {
		_ = tcp.CloseWrite() // errors do not matter here
	}
}

// Cut ends the connection on both sides.
func (x *Exchange) Cut() {
	x.Conn.cut = true
	_ = x.Conn.client.Close() // errors do not matter here
	_ = x.Conn.server.Close()
}

// WaitLikeRedis72 returns a function that answers WAIT like Redis 7.2 and later, with any Redis. If the
// connection has written nothing since the last satisfied WAIT, it reports at once that all replicas have
// everything.
func WaitLikeRedis72(replicas int) func(*Exchange) {
	return func(x *Exchange) {
		if x.Command[0] == "WAIT" && !x.Conn.Wrote {
			x.Reply(fmt.Appendf(nil, ":%d\r\n", replicas))
			return
		}
		reply := x.Forward()
		switch x.Command[0] {
		case "WAIT":
			want, err := strconv.Atoi(x.Command[1])
			have, otherErr := strconv.Atoi(strings.Trim(string(reply), ":\r\n"))
			x.Conn.Wrote = err != nil || otherErr != nil || have < want
		case "DEL", "UNLINK", "ZREM", "SET", "ZADD", "PEXPIRE", "ZREMRANGEBYSCORE":
			x.Conn.Wrote = x.Conn.Wrote || !bytes.Equal(reply, []byte(":0\r\n")) && !bytes.HasPrefix(reply, []byte("-"))
		}
		x.Reply(reply)
	}
}

var errNotRESP = errors.New("not RESP")

// readCommand reads a command: an array of bulk strings.
func readCommand(r *bufio.Reader) (raw []byte, command []string, err error) {
	var buffer bytes.Buffer
	if err := copyReply(&buffer, r); err != nil {
		return nil, nil, err
	}
	raw = buffer.Bytes()
	parts := bufio.NewReader(bytes.NewReader(raw))
	line, _ := parts.ReadString('\n') // copyReply has read a complete value
	count, err := strconv.Atoi(strings.Trim(line, "*\r\n"))
	if err != nil || line[0] != '*' || count < 1 {
		return nil, nil, errNotRESP
	}
	for range count {
		line, _ := parts.ReadString('\n')
		length, err := strconv.Atoi(strings.Trim(line, "$\r\n"))
		if err != nil {
			return nil, nil, errNotRESP
		}
		part := make([]byte, length+2)
		if _, err := io.ReadFull(parts, part); err != nil {
			return nil, nil, err
		}
		command = append(command, string(part[:length]))
	}
	command[0] = strings.ToUpper(command[0])
	return raw, command, nil
}

// copyReply copies one value of RESP2 or RESP3.
func copyReply(to *bytes.Buffer, from *bufio.Reader) error {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return err
	}
	to.Write(line)
	kind, rest := line[0], strings.TrimSpace(string(line[1:]))
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return nil
	}
	length, err := strconv.Atoi(rest)
	if err != nil {
		return errNotRESP
	}
	switch kind {
	case '$', '=', '!':
		if length >= 0 {
			_, err = io.CopyN(to, from, int64(length)+2)
		}
		return err
	case '%', '|':
		length *= 2
	case '*', '~', '>':
	default:
		return errNotRESP
	}
	for range length {
		if err := copyReply(to, from); err != nil {
			return err
		}
	}
	return nil
}
