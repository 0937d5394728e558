import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { newEventId } from '@barnabas/domain'
import { anEventMeta, eventually, startReceiver, type Receiver, type Script } from '@barnabas/testing'
import type { Sender } from '../driver.js'
import { describeRotation, type Rotation, type RotationHarness } from '../testing/describe-rotation.js'
import { openSender } from '../testing/open-sender.js'
import { Traffic } from '../testing/traffic.js'
import { AuthorizationServer } from './testing/authorization-server.js'
import { webhook } from './webhook.driver.js'

const never = new AbortController().signal
const idOf = ({ headers }: { headers: Record<string, unknown> }): string =>
  String(headers['x-barnabas-event-id'])
const anOutgoing = () => ({
  event: { meta: anEventMeta({ id: newEventId() }), payload: Buffer.from('{}') },
  attempt: { number: 1, deliveryId: `dlv_${newEventId()}` },
})
const sendBy = (sender: Sender, signal = never) => {
  const { event, attempt } = anOutgoing()
  return sender.send(event, attempt, signal)
}

/** The secret changes at the authorization server and in the destination; then it ends, and its tokens with it. */
class SecretHarness implements RotationHarness {
  private readonly server = new AuthorizationServer()

  start(): Promise<void> {
    return this.server.start(['old', 'new'])
  }

  stop(): Promise<void> {
    // Each of the senders has a source of its own, and asks for one token at a time.
    if (this.server.mostAsking > 1) throw new Error('more than one request for a token at a time')
    return this.server.stop()
  }

  arrived() {
    return this.server.taken.map((request) => ({ eventId: idOf(request) }))
  }

  rotation(): Rotation {
    return {
      before: this.server.settingsOf('old'),
      after: this.server.settingsOf('new'),
      retire: () => this.server.retire('old'),
      refusal: 'credentials_rejected',
    }
  }
}

describeRotation(webhook, new SecretHarness(), 'an OAuth 2 client secret')

describe('the OAuth 2 tokens of a webhook', () => {
  let server: AuthorizationServer
  const senders: Sender[] = []
  beforeEach(async () => {
    server = new AuthorizationServer()
    await server.start(['a secret'])
  })
  afterEach(async () => {
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
    await server.stop()
  })

  const open = (settings = server.settingsOf('a secret')): Sender => {
    const sender = openSender(webhook, settings)
    senders.push(sender)
    return sender
  }

  it('are replaced once when all are revoked under traffic: nothing is lost, doubled or asked for twice', async () => {
    const traffic = new Traffic(open(), anOutgoing)
    try {
      await traffic.more(30)
      server.revoke()
      await traffic.more(30)
    } finally {
      await traffic.stop()
    }
    expect(traffic.sent.filter(({ outcome }) => outcome.kind !== 'delivered')).toEqual([])
    expect(server.taken.map(idOf).sort()).toEqual(traffic.sent.map(({ id }) => id).sort())
    expect([server.asked, server.mostAsking]).toEqual([2, 1])
  })

  it('are not fetched in a loop for a target that refuses each of them', async () => {
    const sender = open()
    expect((await sendBy(sender)).code).toBe('http_200')
    const target = await startReceiver(() => ({ status: 401 }))
    const refused = open({
      ...server.settingsOf('a secret'),
      config: { ...server.settingsOf('a secret').config, url: target.url() },
    })
    const before = server.asked
    const outcomes = [
      await sendBy(refused),
      ...(await Promise.all(Array.from({ length: 20 }, () => sendBy(refused)))),
    ]
    await target.stop()
    expect(new Set(outcomes.map(({ kind, code }) => `${kind} ${code}`))).toEqual(
      new Set(['retryable http_401']),
    )
    expect(server.asked - before).toBe(1)
    expect(target.received).toHaveLength(outcomes.length)
  })

  it.each([
    ['missing', {}],
    ['zero', { expires_in: 0 }],
    ['negative', { expires_in: -1 }],
    ['huge', { expires_in: 1e300 }],
    ['a text', { expires_in: '3600' }],
    ['no number', { expires_in: 'soon' }],
  ])('are kept when their life is %s', async (_name, more) => {
    server.more = more
    const sender = open()
    for (let count = 0; count < 5; count++) expect((await sendBy(sender)).code).toBe('http_200')
    expect(server.asked).toBe(1)
  })
})

describe('a token URL that gives no token', () => {
  let server: Receiver
  let target: Receiver
  let sender: Sender
  beforeEach(async () => {
    ;[server, target] = await Promise.all([startReceiver(), startReceiver()])
    sender = openSender(webhook, {
      config: { url: target.url(), auth: 'oauth2', token_url: server.url(), client_id: 'a' },
      credentials: { client_secret: 'b' },
    })
  })
  afterEach(async () => {
    await sender.close()
    await Promise.all([server.stop(), target.stop()])
  })

  it.each<[string, Script, object]>([
    [
      'asks to wait',
      () => ({ status: 429, headers: { 'retry-after': '7' } }),
      { kind: 'retryable', code: 'throttled', retryAfterMs: 7_000 },
    ],
    [
      'is being repaired',
      () => ({ status: 503, headers: { 'retry-after': '60' } }),
      { kind: 'retryable', code: 'target_failed', retryAfterMs: 60_000 },
    ],
    [
      'answers with a page',
      () => ({ status: 200, body: '<html>' }),
      { kind: 'retryable', code: 'protocol_error' },
    ],
    [
      'answers with far too much',
      () => ({ status: 200, body: JSON.stringify({ access_token: 'a'.repeat(1_000_000) }) }),
      { kind: 'retryable', code: 'protocol_error' },
    ],
    [
      'redirects',
      () => ({ status: 302, headers: { location: '/' } }),
      { kind: 'retryable', code: 'target_failed' },
    ],
  ])('and %s has its code, and nothing reaches the target', async (_name, script, expected) => {
    server.answerBy(script)
    const outcome = await sendBy(sender)
    expect(outcome).toMatchObject(expected)
    expect(outcome).toMatchObject({ detail: expect.stringContaining('token URL') })
    expect(target.received).toEqual([])
  })

  it('and is slow costs a send its time limit, is asked once, and gives its token to the next ones', async () => {
    server.answerBy(() => ({ status: 200, delayMs: 700, body: '{"access_token":"t","expires_in":60}' }))
    const limit = new AbortController()
    const sent = Array.from({ length: 10 }, () => sendBy(sender, limit.signal))
    await eventually(() => server.received.length === 1)
    limit.abort('timeout')
    expect(new Set((await Promise.all(sent)).map(({ code }) => code))).toEqual(new Set(['timeout']))
    expect((await sendBy(sender)).code).toBe('http_200')
    expect([server.received.length, target.received.length]).toEqual([1, 1])
  })
})
