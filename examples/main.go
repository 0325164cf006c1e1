// This example starts an authorization server with everything embedded, two resource servers and a client.
// After some seconds it revokes the client's tokens.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "chit-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println("building")
	for _, args := range [][]string{
		{"build", "-C", "..", "-o", filepath.Join(dir, "chit"), "."},
		{"build", "-o", dir, "./client", "./invoices", "./reports"},
	} {
		if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %v: %w: %s", args, err, out)
		}
	}
	for _, step := range []struct {
		comment string
		address string // where it listens, empty: nowhere
		env     string
		command []string
	}{
		{"the authorization server", "127.0.0.1:8080", "CHIT_LOG_LEVEL=warn", []string{"chit", "serve"}},
		{"a resource server in Go", "127.0.0.1:8001", "INVOICES_CLIENT_SECRET=my-resource-secret", []string{"invoices"}},
		{"a service without any code for tokens", "127.0.0.1:3000", "", []string{"reports"}},
		{"its guard", "127.0.0.1:8090", "CHIT_GUARD_CLIENT_SECRET=my-resource-secret", []string{"chit", "guard", "--issuer", "http://localhost:8080",
			"--client-id", "my-resource-server", "--require-scope", "openid", "--upstream", "http://127.0.0.1:3000", "--log-level", "error"}},
		{"a client", "", "", []string{"client"}},
	} {
		fmt.Printf("starting %s: %v\n", step.comment, step.command)
		if err := start(ctx, dir, step.env, step.command); err != nil {
			return err
		}
		if err := listens(ctx, step.address); err != nil {
			return err
		}
	}
	pause(ctx, 3*time.Second)
	return revoke(ctx, dir)
}

// revoke ends the client's tokens as an operator does, and waits for ^C.
func revoke(ctx context.Context, dir string) error {
	if ctx.Err() != nil {
		return nil
	}
	command := []string{"token", "revoke", "--client", "my-machine-client", "--yes"}
	fmt.Println("operator: chit", command)
	revoking := exec.CommandContext(ctx, filepath.Join(dir, "chit"), command...)
	revoking.Dir, revoking.Env = dir, append(os.Environ(), "CHIT_AUDIT_LOG="+os.DevNull)
	out, err := revoking.CombinedOutput()
	if err != nil {
		return fmt.Errorf("revoke: %w: %s", err, out)
	}
	fmt.Printf("operator: %s^C stops everything\n", out)
	<-ctx.Done()
	return nil
}

// start starts a program that ends with ctx.
func start(ctx context.Context, dir, env string, command []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(dir, command[0]), command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env)
	cmd.Stderr = os.Stderr
	if command[0] == "client" {
		cmd.Stdout = os.Stdout
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Start()
}

// listens waits until a program listens at the address.
func listens(ctx context.Context, address string) error {
	for tries := 0; address != ""; tries++ {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		if tries == 100 || ctx.Err() != nil {
			return fmt.Errorf("nothing listens: %w", err)
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
