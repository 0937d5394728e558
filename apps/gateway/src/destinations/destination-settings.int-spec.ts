import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startReceiver, type Receiver, type Script } from '@barnabas/testing'
import { START_TIMEOUT_MS, startGateway, type StartedGateway } from '../testing/start-gateway.js'

const DESTINATIONS = '/tenants/acme/destinations'
const ORIGIN = 'events.example.com'
const MASK = '********'

const tokenOf = (id: string): string => Buffer.from(`${id}:a secret`).toString('base64')

interface Shown {
  readonly id: string
  readonly config: Record<string, string>
  readonly credentials: Record<string, string>
  readonly disabled_at: string | null
  readonly disabled_reason: string | null
  readonly limits: { readonly rate: unknown }
}

interface Answer {
  readonly status: number
  readonly body: Shown & { readonly code?: string; readonly message?: string; readonly data?: unknown }
}

/** Hookdeck's answer to the question whether a token is good: that of `src_good` is. */
const HOOKDECK: Script = ({ path, headers }) => {
  const isKnown =
    path.includes('/sources/src_good/') && headers['x-hookdeck-source-token'] === tokenOf('src_good')
  if (path.includes('/sources/src_slow/')) return { status: 503 }
  return isKnown ? { status: 200, body: '{"url":"https://e/","disabled_at":null}' } : { status: 401 }
}

const CONSENT: Script = ({ headers }) => ({
  status: 200,
  headers: { 'webhook-allowed-origin': String(headers['webhook-request-origin']) },
})

describe('the settings of destinations at a gateway on a real Kafka and PostgreSQL', () => {
  let gateway: StartedGateway
  let hookdeck: Receiver
  let target: Receiver

  beforeAll(async () => {
    hookdeck = await startReceiver(HOOKDECK)
    gateway = await startGateway({
      TARGET_ENDPOINTS: `hookdeck_api=${hookdeck.url('')}`,
      WEBHOOK_ORIGIN: ORIGIN,
    })
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await gateway?.stop()
    await hookdeck?.stop()
  })
  beforeEach(async () => {
    target = await startReceiver()
  })
  afterEach(() => target.stop())

  const call = (method: string, path: string, body?: object): Promise<Answer> =>
    gateway.call<Answer['body']>(method, path, body)
  const create = (config: object, more: object = {}): Promise<Answer> =>
    call('POST', DESTINATIONS, {
      type: 'webhook',
      topics: '*',
      config: { url: target.url('/hook?a=%20b'), ...config },
      ...more,
    })
  const get = async (id: string): Promise<Shown> => (await call('GET', `${DESTINATIONS}/${id}`)).body
  const patch = (id: string, body: object): Promise<Answer> => call('PATCH', `${DESTINATIONS}/${id}`, body)
  const verify = (id: string): Promise<Answer> => call('POST', `${DESTINATIONS}/${id}/verify`)
  const questions = () => target.received.filter(({ method }) => method === 'OPTIONS')

  it('are shown as they were given, without the defaults of others, and can be taken away', async () => {
    const given = { url: target.url('/in'), method: 'PUT', custom_headers: '{"x-team":"a"}' }
    const { id, config } = (await create(given)).body
    expect(config).toEqual(given)
    const taken = await call('PATCH', `${DESTINATIONS}/${id}`, {
      config: { method: null, custom_headers: '' },
    })
    expect([taken.status, taken.body.config]).toEqual([200, { url: given.url }])
    expect((await call('GET', `${DESTINATIONS}/${id}`)).body.config).toEqual({ url: given.url })
  })

  describe('copied from what another destination shows', () => {
    const broker = (credentials: object) => ({
      type: 'rabbitmq',
      topics: '*',
      config: { server_url: '127.0.0.1:1', exchange: 'events' },
      credentials: { username: 'events', ...credentials },
    })

    it('are refused with the mask in place of a secret', async () => {
      // It was stored as the password.
      expect(await call('POST', DESTINATIONS, broker({ password: MASK }))).toMatchObject({
        status: 422,
        body: { data: ['credentials.password is the mask of a secret; give the secret itself'] },
      })
    })

    it('keep their secret when the mask is sent back', async () => {
      const { body } = await call('POST', DESTINATIONS, broker({ password: 'a long password' }))
      const shown = { username: 'events', password: MASK }
      const changed = await patch(body.id, { credentials: shown })
      expect([changed.status, changed.body.credentials]).toEqual([200, shown])
    })
  })

  it.each<[string, object, string[]]>([
    ['nothing', {}, ['type is required', 'topics is required']],
    ['an empty text as topics', { type: 'webhook', topics: '' }, ['topics is required']],
    ['no config', { type: 'webhook', topics: '*' }, ['config.url is required']],
    [
      'a name of any length',
      { type: 'slack', topics: '*', ['x'.repeat(100_000)]: '' },
      [`${'x'.repeat(512)} is not a member that can be set`],
    ],
    ['a number as type', { type: 7, topics: '*' }, ['type must be a string']],
    [
      'an unknown type',
      { type: 'fax', topics: '*' },
      ['type must be a type that GET /destination-types lists'],
    ],
  ])('are refused with %s, and each mistake is told once', async (_what, body, data) => {
    expect(await call('POST', DESTINATIONS, body)).toMatchObject({ status: 422, body: { data } })
  })

  it('are refused when they are longer than any body, with the limit', async () => {
    expect(await create({ custom_headers: 'x'.repeat(1024 * 1024) })).toMatchObject({
      status: 413,
      body: { message: expect.stringMatching(/^the body must have at most \d+ bytes$/) },
    })
  })

  describe('a signing secret', () => {
    it('is made for the scheme that is chosen; a public key is always shown', async () => {
      const { body } = await create({ signature: 'v1a' })
      expect(body.credentials['secret']).toMatch(/^whsk_/)
      expect((await get(body.id)).credentials).toEqual({
        secret: MASK,
        public_key: expect.stringMatching(/^whpk_.{44}$/),
      })
    })

    it('changes its scheme by a rotation, and not without', async () => {
      const { body } = await create({})
      expect(await patch(body.id, { config: { signature: 'v1a' } })).toMatchObject({
        status: 422,
        body: { data: [expect.stringMatching(/^credentials\.secret must begin with whsk_/)] },
      })
      const changed = await patch(body.id, {
        config: { signature: 'v1a' },
        credentials: { rotate_secret: true },
      })
      expect(changed.body.credentials).toMatchObject({
        secret: expect.stringMatching(/^whsk_/),
        previous_secret: MASK,
        public_key: expect.stringMatching(/^whpk_/),
      })
    })

    it('is shown in the one answer that made it, also when the request sends back what it was shown', async () => {
      const { body } = await create({})
      const first = await patch(body.id, { credentials: { rotate_secret: true } })
      expect(first.body.credentials['secret']).toMatch(/^whsec_/)
      const shown = (await get(body.id)).credentials
      const second = await patch(body.id, { credentials: shown })
      expect([second.status, second.body.credentials]).toEqual([200, shown])
      expect(shown['secret']).toBe(MASK)
      expect(Date.parse(shown['previous_secret_invalid_at'] ?? '')).toBeGreaterThan(Date.now() + 86_000_000)
    })

    it.each<[object, string]>([
      [{ rotate_secret: 'perhaps' }, 'credentials.rotate_secret must be true or false'],
      [
        { rotate_secret: true, previous_secret_invalid_at: 'tomorrow' },
        'credentials.previous_secret_invalid_at must be an RFC 3339 date-time such as 2026-01-15T10:30:00Z',
      ],
      [
        { rotate_secret: true, previous_secret_invalid_at: '2099-01-01T00:00:00Z' },
        'credentials.previous_secret_invalid_at must be at most 30 days from now',
      ],
      [
        { previous_secret_invalid_at: new Date(Date.now() + 60_000).toISOString() },
        'credentials.previous_secret_invalid_at must not be given without credentials.previous_secret',
      ],
    ])('refuses %j', async (credentials, sentence) => {
      const { body } = await create({})
      expect(await patch(body.id, { credentials })).toMatchObject({ status: 422, body: { data: [sentence] } })
    })

    it('cannot be rotated where the type has none of ours', async () => {
      const { body } = await create(
        {},
        { type: 'hookdeck', config: {}, credentials: { token: tokenOf('src_good') } },
      )
      expect(await patch(body.id, { credentials: { rotate_secret: true } })).toMatchObject({
        status: 422,
        body: { data: ['credentials.rotate_secret is not a known field'] },
      })
    })
  })

  describe('a webhook that is asked for its consent', () => {
    const asked = { verify_endpoint: 'cloudevents' }

    it('is enabled in the answer to its creation when it consents, no faster than it allows', async () => {
      target.answerBy(() => ({
        status: 200,
        headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '60' },
      }))
      const { status, body } = await create({ ...asked, request_rate: '500' })
      expect([status, body.disabled_at, body.disabled_reason]).toEqual([201, null, null])
      expect(body.credentials['secret']).toMatch(/^whsec_/)
      expect(body.limits.rate).toEqual({ count: 60, per: 'minute' })
      expect(questions().map(({ path, headers }) => [path, headers['webhook-request-origin']])).toEqual([
        ['/hook?a=%20b', ORIGIN],
      ])
      expect(questions()[0]?.headers['webhook-request-rate']).toBe('500')
    })

    it('keeps a rate of its own that is slower', async () => {
      target.answerBy(() => ({
        status: 200,
        headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '6000' },
      }))
      const { body } = await create(asked, { limits: { rate: { count: 1, per: 'second' } } })
      expect(body.limits.rate).toEqual({ count: 1, per: 'second' })
    })

    it('stays disabled until its consent comes: a status is none, and nobody can enable it by hand', async () => {
      const { status, body } = await create(asked)
      expect([status, body.disabled_reason]).toEqual([201, 'pending_verification'])
      expect(await call('PUT', `${DESTINATIONS}/${body.id}/enable`)).toMatchObject({
        status: 409,
        body: { code: 'not_verified' },
      })
      expect(await patch(body.id, { disabled_at: null })).toMatchObject({ status: 409 })
      expect(await verify(body.id)).toMatchObject({
        status: 409,
        body: { code: 'not_verified', message: expect.stringContaining('WebHook-Allowed-Origin') },
      })
      expect((await get(body.id)).disabled_reason).toBe('pending_verification')
      target.answerBy(CONSENT)
      expect(await verify(body.id)).toMatchObject({
        status: 200,
        body: { disabled_at: null, disabled_reason: null },
      })
    })

    it('is asked again for another URL, and for nothing else', async () => {
      target.answerBy(CONSENT)
      const { body } = await create(asked)
      await patch(body.id, { topics: ['order.*'], config: { method: 'PUT' } })
      expect(questions()).toHaveLength(1)
      expect((await patch(body.id, { config: { url: target.url('/other') } })).body.disabled_at).toBeNull()
      expect(questions()).toHaveLength(2)
      target.answerBy(() => ({ status: 404 }))
      const moved = await patch(body.id, { config: { url: target.url('/third') } })
      expect([moved.status, moved.body.disabled_reason]).toEqual([200, 'pending_verification'])
    })

    it('is left alone when nobody wants to ask it any more', async () => {
      const { body } = await create(asked)
      await patch(body.id, { config: { verify_endpoint: 'none' } })
      expect((await call('PUT', `${DESTINATIONS}/${body.id}/enable`)).body.disabled_at).toBeNull()
    })

    it('that cannot be reached says so', async () => {
      const { body } = await create({ ...asked, url: 'http://127.0.0.1:1/' })
      expect(body.disabled_reason).toBe('pending_verification')
      expect(await verify(body.id)).toMatchObject({
        status: 409,
        body: { message: 'Nothing listens at the address of the target.' },
      })
    })
  })

  it('answers a question about a destination that has nothing to ask, or does not exist', async () => {
    const { body } = await create({})
    expect(await verify(body.id)).toMatchObject({
      status: 409,
      body: {
        code: 'not_verified',
        message: 'the destination needs no verification; POST …/test shows whether events arrive',
      },
    })
    expect((await verify('nobody')).status).toBe(404)
    expect(questions()).toEqual([])
  })

  describe('a token of Hookdeck', () => {
    const withToken = (id: string) => ({ type: 'hookdeck', config: {}, credentials: { token: tokenOf(id) } })
    const REFUSED = {
      status: 422,
      body: { data: ['credentials.token was refused by Hookdeck (status 401)'] },
    }

    it('is refused at its creation and at a change when Hookdeck refuses it', async () => {
      expect(await create({}, withToken('src_bad'))).toMatchObject(REFUSED)
      const { status, body } = await create({}, withToken('src_good'))
      expect([status, body.disabled_at]).toEqual([201, null])
      expect(await patch(body.id, { credentials: { token: tokenOf('src_bad') } })).toMatchObject(REFUSED)
      expect((await verify(body.id)).status).toBe(200)
    })

    it('needs no config beside it', async () => {
      // The contract wants none of this type; its clients leave it out, and were answered with "config is required".
      const body = { type: 'hookdeck', topics: '*', credentials: { token: tokenOf('src_good') } }
      expect(await call('POST', DESTINATIONS, body)).toMatchObject({ status: 201, body: { config: {} } })
    })

    it('is taken when Hookdeck cannot be asked', async () => {
      const { status, body } = await create({}, withToken('src_slow'))
      expect([status, body.disabled_at]).toEqual([201, null])
      expect(await verify(body.id)).toMatchObject({ status: 409, body: { code: 'not_verified' } })
    })
  })
})
