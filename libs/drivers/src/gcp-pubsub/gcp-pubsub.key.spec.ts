import { describe, expect, it } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { testNetwork } from '../testing/test-tools.js'
import { openClient } from './gcp-pubsub.client.js'
import { checkKey, readKey } from './gcp-pubsub.key.js'

const PEM = {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
} as const
const FILE = {
  type: 'service_account',
  project_id: 'my-project-123',
  private_key_id: 'key1',
  private_key: generateKeyPairSync('rsa', { modulusLength: 2_048, ...PEM }).privateKey,
  client_email: 'publisher@my-project-123.iam.gserviceaccount.com',
  client_id: '123',
  auth_uri: 'https://accounts.google.com/o/oauth2/auth',
  token_uri: 'https://oauth2.googleapis.com/token',
  auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
  universe_domain: 'googleapis.com',
}

describe('checkKey', () => {
  it('takes a key file as Google makes it', () => {
    expect(checkKey(JSON.stringify(FILE))).toBeNull()
  })

  it.each([
    ['is no JSON', 'not json'],
    ['is null', 'null'],
    ['is the configuration of an external account', { ...FILE, type: 'external_account' }],
    ['is the credential of a user', { ...FILE, type: 'authorized_user' }],
    ['names another token URL', { ...FILE, token_uri: 'http://169.254.169.254/token' }],
    ['names another authorisation URL', { ...FILE, auth_uri: 'https://example.com' }],
    ['names another universe', { ...FILE, universe_domain: 'example.com' }],
    ['has a universe that is no text', { ...FILE, universe_domain: { toString: 1 } }],
    ['has no address of an account', { ...FILE, client_email: undefined }],
    ['has a key that is none', { ...FILE, private_key: 'secret' }],
    ['has a key of another kind', { ...FILE, private_key: generateKeyPairSync('ed25519', PEM).privateKey }],
  ])('refuses a text that %s, without showing it', (_name, file) => {
    const message = checkKey(typeof file === 'string' ? file : JSON.stringify(file))
    expect(message).toMatch(/^must /)
    expect(message).not.toContain('secret')
  })
})

describe('openClient', () => {
  it('signs its own tokens and asks nobody for one', async () => {
    const key = readKey(JSON.stringify(FILE))
    const address = { host: 'us-east1-pubsub.googleapis.com', port: 443 }
    const way = { network: testNetwork(), address, tls: {} }
    const client = await openClient({ projectId: 'my-project-123', ...way, as: key })
    const headers = await (await client.auth.getClient()).getRequestHeaders()
    const [head, claims] = (headers.get('authorization') ?? '').replace('Bearer ', '').split('.')
    const read = (part = ''): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
    expect(read(head)).toMatchObject({ alg: 'RS256', kid: 'key1' })
    expect(read(claims)).toMatchObject({ iss: FILE.client_email, sub: FILE.client_email })
    await client.close()
  })
})
