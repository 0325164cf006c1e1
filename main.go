// Chit is an OAuth 2.0 authorization server for machine-to-machine access. It issues opaque access tokens
// for client credentials, introspects them and revokes them.
package main

import "chit/app/cli"

func main() { cli.Main() }
