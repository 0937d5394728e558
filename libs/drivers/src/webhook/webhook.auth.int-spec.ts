import { afterEach, describe, expect, it } from '@jest/globals'
import { anEventMeta, eventually, startReceiver, type Receiver, type Script } from '@barnabas/testing'
import type { Sender } from '../driver.js'
import { LOOPBACK_RULES, Network } from '../network/network.js'
import { openWebhook, problemsOf } from './testing/open-webhook.js'

const EVENT = { meta: anEventMeta(), payload: Buffer.from('{}') }
const ATTEMPT = { number: 1, deliveryId: 'dlv_1' }
const never = new AbortController().signal

const running: Receiver[] = []
const senders: Sender[] = []
afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()))
  await Promise.all(running.splice(0).map((receiver) => receiver.stop()))
})

async function start(script?: Script): Promise<Receiver> {
  const receiver = await startReceiver(script)
  running.push(receiver)
  return receiver
}

function open(...given: Parameters<typeof openWebhook>): Sender {
  const sender = openWebhook(...given)
  senders.push(sender)
  return sender
}

describe('a webhook with fixed authentication', () => {
  it.each<[string, Record<string, string>, Record<string, string>, [string, string]]>([
    [
      'user name and password',
      { auth: 'basic', username: 'Müller' },
      { password: 'a:b' },
      ['authorization', `Basic ${Buffer.from('Müller:a:b').toString('base64')}`],
    ],
    ['a bearer token', { auth: 'bearer' }, { token: 'abc.def' }, ['authorization', 'Bearer abc.def']],
    ['an API key', { auth: 'api_key' }, { api_key: 'k e y' }, ['x-api-key', 'k e y']],
    [
      'a key in its own header',
      { auth: 'api_key', api_key_header: 'X-Mine' },
      { api_key: 'k' },
      ['x-mine', 'k'],
    ],
    ['custom headers', { custom_headers: '{"X-Tenant":"7"}' }, {}, ['x-tenant', '7']],
    ['secret headers', {}, { secret_headers: '{"Authorization":"Token x"}' }, ['authorization', 'Token x']],
  ])('sends %s', async (_name, config, credentials, [header, value]) => {
    const receiver = await start()
    const sender = open({ url: receiver.url(), ...config }, credentials)
    expect((await sender.send(EVENT, ATTEMPT, never)).kind).toBe('delivered')
    expect(receiver.received[0]?.headers[header]).toBe(value)
  })

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['a password', { auth: 'basic', username: 'me' }, { password: 'canary-1234' }],
    ['a bearer token', { auth: 'bearer' }, { token: 'canary-1234' }],
    ['an API key', { auth: 'api_key' }, { api_key: 'canary-1234' }],
    ['secret headers', {}, { secret_headers: '{"x-key":"canary-1234"}' }],
  ])('keeps nothing of %s that the target sends back', async (_name, config, credentials) => {
    const receiver = await start(({ rawHeaders }) => ({
      status: 500,
      headers: { 'x-got': rawHeaders.join(' ').replace(/[^\x20-\x7e]/g, '') },
      body: rawHeaders.join('\n'),
    }))
    const outcome = await open({ url: receiver.url(), ...config }, credentials).send(EVENT, ATTEMPT, never)
    const { body, headers } = ('response' in outcome && outcome.response) || { body: '', headers: {} }
    const kept = `${String(body)} ${JSON.stringify(headers)}`
    expect(kept).toContain('********')
    expect(kept).not.toContain('canary')
    expect(kept).not.toContain(Buffer.from('me:canary-1234').toString('base64'))
  })

  it.each(['PUT', 'PATCH'])('sends by %s', async (method) => {
    const receiver = await start()
    await open({ url: receiver.url(), method }).send(EVENT, ATTEMPT, never)
    expect(receiver.received[0]?.method).toBe(method)
  })

  it('tries again later when it is refused: a fixed proof does not get better by asking twice', async () => {
    const receiver = await start(() => ({ status: 401 }))
    const sender = open({ url: receiver.url(), auth: 'bearer' }, { token: 'old' })
    expect(await sender.send(EVENT, ATTEMPT, never)).toMatchObject({ kind: 'retryable', code: 'http_401' })
    expect(receiver.received).toHaveLength(1)
  })

  it.each<[Record<string, string>, Record<string, string>, string[]]>([
    [{ auth: 'basic' }, {}, ['config.username', 'credentials.password']],
    [{ auth: 'bearer' }, {}, ['credentials.token']],
    [{ auth: 'api_key' }, {}, ['credentials.api_key']],
    [{ auth: 'oauth2' }, {}, ['config.token_url', 'config.client_id', 'credentials.client_secret']],
    [{ auth: 'digest' }, {}, ['config.auth']],
    [{ api_key_header: 'Host' }, {}, ['config.api_key_header']],
    [{ username: 'a:b' }, {}, ['config.username']],
    [{}, { token: 'a\nb' }, ['credentials.token']],
    [{}, { api_key: 'a\r\nb' }, ['credentials.api_key']],
    [{ custom_headers: '{"Host":"x"}' }, {}, ['config.custom_headers']],
    [{ custom_headers: '{"a":1}' }, {}, ['config.custom_headers']],
    [{ custom_headers: '{"a":"1"}' }, { secret_headers: '{"A":"2"}' }, ['config.custom_headers']],
    [{ auth: 'bearer', custom_headers: '{"authorization":"x"}' }, { token: 't' }, ['config.custom_headers']],
    [
      { auth: 'api_key' },
      { api_key: 'k', secret_headers: '{"X-API-KEY":"x"}' },
      ['credentials.secret_headers'],
    ],
    [{ signature: 'v1a' }, { secret: `whsec_${'A'.repeat(32)}` }, ['credentials.secret']],
    [{ request_rate: '0' }, {}, ['config.request_rate']],
  ])('refuses %j with %j at %j', (config, credentials, paths) => {
    expect(problemsOf(config, credentials).map((problem) => problem.split(' ')[0])).toEqual(paths)
  })
})

describe('a webhook with OAuth 2 client credentials', () => {
  /** Tokens `t1`, `t2`, … that live for an hour unless the script says otherwise. */
  const tokens =
    (more: Record<string, unknown> = {}): Script =>
    (_request, count) => ({
      status: 200,
      body: JSON.stringify({ access_token: `t${count}`, token_type: 'Bearer', expires_in: 3_600, ...more }),
    })

  async function setUp(tokenScript: Script, targetScript?: Script, config: Record<string, string> = {}) {
    const server = await start(tokenScript)
    const target = await start(targetScript)
    const sender = open(
      {
        url: target.url(),
        auth: 'oauth2',
        token_url: server.url('/token?realm=1'),
        client_id: 'client 1',
        ...config,
      },
      { client_secret: 'p:w%' },
    )
    return { server, target, sender, send: () => sender.send(EVENT, ATTEMPT, never) }
  }

  const sent = ({ received }: Receiver) => received.map(({ headers }) => headers.authorization)

  it('fetches a token with its client in a header, scope and audience in the form', async () => {
    const { server, target, send } = await setUp(tokens(), undefined, {
      scope: 'a b',
      audience: 'https://api/',
    })
    expect((await send()).kind).toBe('delivered')
    expect(sent(target)).toEqual(['Bearer t1'])
    const [request] = server.received
    expect([request?.method, request?.path]).toEqual(['POST', '/token?realm=1'])
    expect(request?.headers.authorization).toBe(
      `Basic ${Buffer.from('client+1:p%3Aw%25').toString('base64')}`,
    )
    expect(Object.fromEntries(new URLSearchParams(request?.body.toString()))).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      audience: 'https://api/',
    })
  })

  it('sends its client in the form when it is told to', async () => {
    const { server, send } = await setUp(tokens(), undefined, { client_auth: 'body' })
    await send()
    expect(server.received[0]?.headers.authorization).toBeUndefined()
    expect(Object.fromEntries(new URLSearchParams(server.received[0]?.body.toString()))).toMatchObject({
      client_id: 'client 1',
      client_secret: 'p:w%',
    })
  })

  it('fetches one token for many sends at a time, and keeps it', async () => {
    const { server, target, send } = await setUp(tokens())
    await Promise.all(Array.from({ length: 50 }, send))
    await send()
    expect(server.received).toHaveLength(1)
    expect(new Set(sent(target))).toEqual(new Set(['Bearer t1']))
  })

  it('fetches another one when the first has expired', async () => {
    const { server, target, send } = await setUp(tokens({ expires_in: 0.05 }))
    await send()
    await eventually(async () => {
      await send()
      return server.received.length > 1
    })
    expect(sent(target).at(-1)).toBe('Bearer t2')
  })

  it('replaces a token that the target refuses, once, within the same attempt', async () => {
    const revoked = new Set<string | undefined>()
    const { server, target, send } = await setUp(tokens(), ({ headers }) => ({
      status: revoked.has(headers.authorization) ? 401 : 200,
    }))
    await send()
    revoked.add('Bearer t1')
    expect((await send()).kind).toBe('delivered')
    expect(sent(target)).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t2'])
    expect(server.received).toHaveLength(2)
  })

  it('gives up after one more try when the target refuses every token', async () => {
    const { target, send } = await setUp(tokens(), () => ({ status: 401 }))
    expect(await send()).toMatchObject({ kind: 'retryable', code: 'http_401' })
    expect(await send()).toMatchObject({ kind: 'retryable', code: 'http_401' })
    expect(target.received.length).toBeLessThanOrEqual(3)
  })

  it('ends a delivery for good when the client is wrong, and sends nothing to the target', async () => {
    const { target, send } = await setUp(() => ({ status: 401, body: '{"error":"invalid_client"}' }))
    const outcome = await send()
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'credentials_rejected' })
    expect(JSON.stringify(outcome)).not.toContain('p:w%')
    expect(target.received).toEqual([])
  })

  it('tries again later when the token server is away, and gets over it', async () => {
    const { server, send } = await setUp(() => ({ status: 503 }))
    expect(await send()).toMatchObject({ kind: 'retryable', code: 'target_failed' })
    server.answerBy(() => ({ kind: 'reset' }))
    expect(await send()).toMatchObject({ kind: 'retryable', code: 'connection_reset' })
    server.answerBy(tokens())
    expect((await send()).kind).toBe('delivered')
  })

  it('leaves a token server that does not answer when the attempt ends, and is not kept from closing', async () => {
    const { server, target, sender } = await setUp(() => ({ kind: 'hang' }))
    const abort = new AbortController()
    const outcome = sender.send(EVENT, ATTEMPT, abort.signal)
    await eventually(() => server.received.length === 1)
    abort.abort('timeout')
    expect(await outcome).toMatchObject({ code: 'timeout' })
    await sender.close()
    expect(target.received).toEqual([])
  })

  it('fetches no token from an address that may not be connected to', async () => {
    const server = await start(tokens())
    const target = await start()
    const port = Number(new URL(target.url()).port)
    const sender = open(
      { url: target.url(), auth: 'oauth2', token_url: server.url(), client_id: 'c' },
      { client_secret: 's' },
      { network: new Network({ ...LOOPBACK_RULES, allowedPorts: [port] }), endpoints: new Map() },
    )
    expect(await sender.send(EVENT, ATTEMPT, never)).toMatchObject({
      kind: 'permanent',
      code: 'address_blocked',
    })
    expect(server.received).toEqual([])
  })
})
