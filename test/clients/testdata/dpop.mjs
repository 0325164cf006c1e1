// Gets a token that is bound to a key, and uses it, with oauth4webapi and with openid-client. Both servers may ask for
// nonces. Arguments: the issuer, the client id, the secret, the algorithm, and the URL of a protected resource.
// It prints one line for each library.
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // Node.js 18 has it under another name
const oauth = await import('oauth4webapi')
const openid = await import('openid-client')

const [issuer, clientId, secret, alg, api] = process.argv.slice(2)
const resource = new URL(api)

async function byOAuth4WebAPI() {
  const url = new URL(issuer)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }))
  const client = { client_id: clientId }
  const options = { DPoP: oauth.DPoP(client, await oauth.generateKeyPair(alg)), ...insecure }
  const again = async (request) => {
    try {
      return await request()
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      return request()
    }
  }
  const parameters = new URLSearchParams([['scope', 'a'], ['resource', resource.origin], ['resource', 'urn:other']])
  const granted = await again(async () => oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(secret), parameters, options)))
  const answer = await again(() => oauth.protectedResourceRequest(granted.access_token, 'PUT', resource, new Headers(), 'body', options))
  return [granted, answer]
}

async function byOpenIDClient() {
  const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.ClientSecretPost(secret), { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] })
  const options = { DPoP: openid.getDPoPHandle(config, await openid.randomDPoPKeyPair(alg)) }
  const granted = await openid.clientCredentialsGrant(config, new URLSearchParams([['scope', 'a'], ['resource', resource.origin]]), options)
  return [granted, await openid.fetchProtectedResource(config, granted.access_token, resource, 'PUT', 'body', new Headers(), options)]
}

for (const [name, use] of Object.entries({ oauth4webapi: byOAuth4WebAPI, 'openid-client': byOpenIDClient })) {
  const [granted, answer] = await use()
  console.log(name, granted.token_type, answer.status, await answer.text())
}
