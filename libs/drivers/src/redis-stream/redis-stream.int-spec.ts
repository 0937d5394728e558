import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { eventually } from '@barnabas/testing'
import { freePort, startRedis, type TargetServer } from '@barnabas/tools'
import type { RawSettings, Sender } from '../driver.js'
import { Network } from '../network/network.js'
import { makeCertificates } from '../testing/certificates.js'
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import type { Rotation } from '../testing/describe-rotation.js'
import { anOutgoing, send, useExtras, useSenders } from '../testing/test-senders.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { redisStream } from './redis-stream.driver.js'

const KEY = 'events'

/** Looks at a server as a client of its own, anew each time, as servers come and go. */
async function withRedis<Value>(port: number, use: (redis: Redis) => Promise<Value>): Promise<Value> {
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null })
  await redis.connect()
  try {
    return await use(redis)
  } finally {
    redis.disconnect()
  }
}

const readStream = (port: number, key = KEY): Promise<Arrived[]> =>
  withRedis(port, async (redis) => {
    const entries = await redis.xrangeBuffer(key, '-', '+')
    return entries.map(([, fields]) => {
      const pairs = fields.flatMap((name, at): [string, Buffer][] =>
        at % 2 === 0 ? [[name.toString(), fields[at + 1] ?? Buffer.alloc(0)]] : [],
      )
      const metadata = Object.fromEntries(pairs.map(([name, value]) => [name, value.toString()]))
      const body = pairs.find(([name]) => name === 'data')?.[1] ?? Buffer.alloc(0)
      return { body, metadata, eventId: metadata['event-id'] ?? '' }
    })
  })

class RedisHarness implements DriverHarness {
  private server: TargetServer | null = null

  get running(): TargetServer {
    if (!this.server) throw new Error('not started')
    return this.server
  }

  readonly invalid: DriverHarness['invalid'] = {
    'config.server_url': (valid) => ({ ...valid, config: { ...valid.config, server_url: 'localhost' } }),
    'config.database': (valid) => ({ ...valid, config: { ...valid.config, database: '-1' } }),
    'config.max_length': (valid) => ({ ...valid, config: { ...valid.config, max_length: '0' } }),
    'config.key_template': (valid) => ({ ...valid, config: { ...valid.config, key_template: 'a b' } }),
    'config.ca_certificate': (valid) => ({ ...valid, config: { ...valid.config, ca_certificate: 'x' } }),
    'credentials.password': (valid) => ({ ...valid, credentials: { username: 'u' } }),
  }

  async start(): Promise<void> {
    this.server = await startRedis()
  }

  stop(): Promise<void> {
    return this.running.stop()
  }

  /** It takes connections while it still reads its file, and refuses all commands meanwhile. */
  async restart(): Promise<void> {
    await this.running.restart()
    await eventually(() => withRedis(this.running.port, async (redis) => (await redis.ping()) === 'PONG'))
  }

  settings(): RawSettings {
    const server_url = `127.0.0.1:${this.running.port}`
    return { config: { server_url, key_template: `'${KEY}'` }, credentials: {} }
  }

  unreachable(): RawSettings {
    return { config: { server_url: '127.0.0.1:1' }, credentials: {} }
  }

  badCredentials() {
    return {
      settings: { ...this.settings(), credentials: { username: 'nobody', password: 'wrong' } },
      code: 'credentials_rejected' as const,
    }
  }

  /** Two users of the access control list. Removing one cuts its connections. */
  async rotation(): Promise<Rotation> {
    const { config } = this.settings()
    const rights = [`~${KEY}`, '-@all', '+xadd']
    const settingsOf = (username: string) => ({
      config,
      credentials: { username, password: `of-${username}` },
    })
    await withRedis(this.running.port, async (redis) => {
      for (const user of ['old', 'new'])
        await redis.call('ACL', 'SETUSER', user, 'on', `>of-${user}`, ...rights)
    })
    return {
      before: settingsOf('old'),
      after: settingsOf('new'),
      refusal: 'credentials_rejected',
      retire: () =>
        withRedis(this.running.port, async (redis) => {
          await redis.call('ACL', 'DELUSER', 'old')
        }),
    }
  }

  becomeSlow(): void {
    this.running.freeze()
  }

  becomeQuick(): void {
    this.running.thaw()
  }

  arrived(): Promise<readonly Arrived[]> {
    return readStream(this.running.port)
  }
}

describeDriver(redisStream, new RedisHarness())

describe('RedisStreamSender', () => {
  const attempt = { number: 1, deliveryId: 'dlv_1' }
  const openSender = useSenders(redisStream)
  const extras = useExtras()
  let server: TargetServer

  beforeAll(async () => {
    server = await startRedis()
    await withRedis(server.port, async (redis) => {
      await redis.call('ACL', 'SETUSER', 'events', 'on', '>right', '~order.*', '-@all', '+xadd', '+select')
      await redis.set('text', 'x')
    })
  })
  afterAll(() => server.stop())

  const open = (
    config: Record<string, string> = {},
    credentials: Record<string, string> = {},
    network = testNetwork(),
  ): Sender =>
    openSender(
      { config: { server_url: `127.0.0.1:${server.port}`, ...config }, credentials },
      { ...testTools(), network },
    )

  it('takes the topic as key, and needs no more rights than the guide gives', async () => {
    const event = anOutgoing()
    const sender = open({ database: '0' }, { username: 'events', password: 'right' })
    expect((await send(sender, event)).kind).toBe('delivered')
    const arrived = await readStream(server.port, 'order.paid')
    expect(arrived.some(({ eventId }) => eventId === event.meta.id)).toBe(true)
    const elsewhere = open({ key_template: "'other'" }, { username: 'events', password: 'right' })
    expect(await send(elsewhere)).toMatchObject({ code: 'credentials_rejected' })
  })

  it('refuses a password that the server does not know of', async () => {
    expect(await send(open({}, { password: 'x' }))).toMatchObject({ code: 'credentials_rejected' })
  })

  it('writes to the database that it is told, and says when there is none', async () => {
    expect((await send(open({ database: '3', key_template: "'three'" }))).kind).toBe('delivered')
    expect(
      await withRedis(server.port, async (redis) => {
        await redis.select(3)
        return redis.xlen('three')
      }),
    ).toBe(1)
    expect(await send(open({ database: '9999' }))).toMatchObject({ code: 'target_not_found' })
  })

  it('keeps about as many entries as it is told', async () => {
    const sender = open({ max_length: '100', key_template: "'short'" })
    await Promise.all(Array.from({ length: 1_000 }, () => send(sender)))
    expect(await withRedis(server.port, (redis) => redis.xlen('short'))).toBeLessThan(300)
  })

  it('ends a delivery for good when the key is no stream', async () => {
    expect(await send(open({ key_template: "'text'" }))).toMatchObject({
      kind: 'permanent',
      code: 'target_not_found',
    })
  })

  it.each<[string, string[], string]>([
    ['has no memory left', ['CONFIG', 'SET', 'maxmemory', '1'], 'throttled'],
    ['is a copy that may not be written to', ['REPLICAOF', '127.0.0.1', '1'], 'target_failed'],
    ['wants copies that are not there', ['CONFIG', 'SET', 'min-replicas-to-write', '3'], 'target_failed'],
  ])('tries again later when the server %s', async (_name, command, code) => {
    const other = await startRedis()
    extras.servers.push(other)
    const [word = '', ...rest] = command
    await withRedis(other.port, (redis) => redis.call(word, ...rest))
    expect(await send(open({ server_url: `127.0.0.1:${other.port}` }))).toMatchObject({
      kind: 'retryable',
      code,
    })
  })

  it('says that it does not speak to a cluster', async () => {
    const start = async () => {
      const busPort = await freePort()
      const node = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', String(busPort)])
      extras.servers.push(node)
      return { port: node.port, busPort }
    }
    const [asked, owner] = [await start(), await start()]
    await withRedis(owner.port, (redis) => redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383))
    await withRedis(asked.port, (redis) =>
      redis.call('CLUSTER', 'MEET', '127.0.0.1', owner.port, owner.busPort),
    )
    const sender = open({ server_url: `127.0.0.1:${asked.port}` })
    await eventually(async () => (await send(sender)).code === 'invalid_settings')
  })

  it('takes names of metadata as they are, and lets none replace the payload', async () => {
    const metadata = { data: 'x', constructor: 'b', ['__proto__']: 'a', line: 'a\r\nb' }
    const event = anOutgoing({ metadata })
    expect((await send(open({ key_template: "'names'" }), event)).kind).toBe('delivered')
    const [arrived] = await readStream(server.port, 'names')
    expect(arrived?.body).toEqual(event.payload)
    expect(Object.entries(arrived?.metadata ?? {})).toEqual(
      expect.arrayContaining([
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['line', 'a  b'],
      ]),
    )
  })

  it('dials nothing that the network forbids', async () => {
    const rules = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: false }
    expect(await send(open({}, {}, new Network(rules)))).toMatchObject({ code: 'address_blocked' })
  })

  it('speaks TLS, and only with a server that it can trust', async () => {
    const { ca, server: own, client } = await makeCertificates()
    const files = extras.files({ ca, certificate: own.certificate, key: own.key })
    const tlsPort = await freePort()
    const args = ['--tls-port', String(tlsPort), '--tls-ca-cert-file', files.ca]
    const pair = ['--tls-cert-file', files.certificate, '--tls-key-file', files.key]
    extras.servers.push(await startRedis([...args, ...pair]))
    const to = { server_url: `localhost:${tlsPort}`, tls: 'true' }
    const shown = { client_certificate: client.certificate, client_key: client.key }
    expect((await send(open({ ...to, ca_certificate: ca }, shown))).kind).toBe('delivered')
    expect(await send(open(to, shown))).toMatchObject({ code: 'tls_failed' })
    expect((await send(open({ ...to, ca_certificate: ca }))).kind).toBe('retryable')
  })

  it('answers when the server ends while events are under way, and connects anew', async () => {
    const other = await startRedis()
    extras.servers.push(other)
    const sender = open({ server_url: `127.0.0.1:${other.port}` })
    await send(sender)
    other.freeze()
    const sent = Promise.all([send(sender), send(sender)])
    await other.restart()
    await sent
    // One may meet the connection that the old server closed.
    await eventually(async () => (await send(sender)).kind === 'delivered')
  })

  it('stays usable when a send was given up while the server did not answer', async () => {
    const sender = open()
    await send(sender)
    server.freeze()
    const abort = new AbortController()
    const sent = sender.send(anOutgoing(), attempt, abort.signal)
    setTimeout(() => abort.abort('timeout'), 100)
    expect(await sent).toMatchObject({ code: 'timeout' })
    server.thaw()
    await eventually(async () => (await send(sender)).kind === 'delivered')
  })
})
