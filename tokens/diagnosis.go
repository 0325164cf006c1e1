package tokens

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeTimeout is the timeout of each probe of Diagnose.
const probeTimeout = time.Second

// Diagnose returns the likely fault in the URL of a Redis that has failed with err: a wrong user or
// password, TLS on one side only, or a client certificate. It returns an empty text if it finds none.
func Diagnose(client redis.UniversalClient, err error) string {
	if redis.HasErrorPrefix(err, "WRONGPASS") || redis.HasErrorPrefix(err, "NOAUTH") {
		return serverOf(client) + " refuses the user or password"
	}
	single, is := client.(*redis.Client)
	if reply := redis.Error(nil); !is || errors.As(err, &reply) {
		return ""
	}
	address, config := single.Options().Addr, single.Options().TLSConfig
	switch {
	case config == nil && speaksTLS(address):
		return fmt.Sprintf("the server at %s speaks TLS: write rediss://", address)
	case config == nil:
		return ""
	case speaksPlain(address):
		return fmt.Sprintf("the server at %s speaks without TLS: write redis://, or its port for TLS", address)
	}
	if refusal := refusesCertificate(address, config); refusal != nil {
		return fmt.Sprintf("the server at %s refuses the client certificate or its absence (%v): name sslcert and sslkey", address, refusal)
	}
	return ""
}

// serverOf describes the server in words.
func serverOf(client redis.UniversalClient) string {
	switch client := client.(type) {
	case *redis.ClusterClient:
		return "a server of the Cluster at " + strings.Join(client.Options().Addrs, ", ")
	case *redis.Client:
		// A client for Sentinel has no address in its options.
		if address := client.Options().Addr; strings.Contains(address, ":") {
			return "the server at " + address
		}
	}
	return "a Sentinel, or the server that it names,"
}

// speaksPlain reports whether a server answers a PING without TLS. An error reply counts as an answer.
func speaksPlain(address string) bool {
	conn, err := net.DialTimeout("tcp", address, probeTimeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(probeTimeout)) // if this fails, so does what follows
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	first, err := bufio.NewReader(conn).ReadByte()
	return err == nil && (first == '+' || first == '-')
}

// speaksTLS reports whether a server completes a TLS handshake. The probe sends no data, so it does not
// check the certificate.
func speaksTLS(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was written
	return true
}

// refusesCertificate returns the alert with which a server refuses the client's certificate or its absence.
// With TLS 1.3 the alert comes after the handshake. A client that writes at once may get a reset instead.
func refusesCertificate(address string, config *tls.Config) error {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: probeTimeout}, Config: config}
	conn, err := dialer.Dial("tcp", address)
	if err == nil {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(probeTimeout)) // if this fails, so does what follows
		_, err = conn.Read(make([]byte, 1))
	}
	if alert := (*net.OpError)(nil); errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate") {
		return alert.Err
	}
	return nil
}
