// Gets, introspects and revokes a token with oauth4webapi and with openid-client. The client authenticates by
// private_key_jwt. Arguments: the issuer, the client id, the algorithm, the kid, and the private key as a JWK.
// It prints one line for each library.
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // Node.js 18 has it under another name
const oauth = await import('oauth4webapi')
const openid = await import('openid-client')

const [issuer, clientId, alg, kid, jwk] = process.argv.slice(2)
const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  Ed25519: { name: 'Ed25519' },
}
const key = { key: await crypto.subtle.importKey('jwk', JSON.parse(jwk), algorithms[alg], false, ['sign']), kid }

async function byOAuth4WebAPI() {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const url = new URL(issuer)
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }))
  const client = { client_id: clientId }
  const authentication = oauth.PrivateKeyJwt(key)
  const granted = await oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(server, client, authentication, { scope: 'a' }, insecure))
  const introspect = async () => oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, authentication, granted.access_token, insecure))
  const before = await introspect()
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, authentication, granted.access_token, insecure))
  return [before, await introspect()]
}

async function byOpenIDClient() {
  const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.PrivateKeyJwt(key), { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
  const granted = await openid.clientCredentialsGrant(config, { scope: 'a' })
  const before = await openid.tokenIntrospection(config, granted.access_token)
  await openid.tokenRevocation(config, granted.access_token)
  return [before, await openid.tokenIntrospection(config, granted.access_token)]
}

for (const [name, use] of Object.entries({ oauth4webapi: byOAuth4WebAPI, 'openid-client': byOpenIDClient })) {
  const [before, after] = await use()
  console.log(name, before.active, before.client_id, before.scope, after.active)
}
