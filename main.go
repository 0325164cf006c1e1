// Chit is an OAuth 2.0 authorization server for machine-to-machine access: client credentials in,
// opaque access tokens out, introspection and revocation.
package main

import "chit/app"

func main() { app.Main() }
