import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { newEventId, type Outcome } from '@barnabas/domain'
import {
  anEventMeta,
  ConnectProxy,
  eventually,
  NameServer,
  Victim,
  type TunnelScript,
} from '@barnabas/testing'
import type { OutgoingEvent, Sender } from '../driver.js'
import { Network, type Address, type NetworkRules } from '../network/network.js'

/** A target whose client library dials by itself unless it is kept from it. */
export interface DialledTarget {
  start(): Promise<void>
  stop(): Promise<void>
  /** On loopback. */
  readonly port: number
  /** A sender for the target as it is known to the outside, at `address`. */
  open(network: Network, address: Address): Sender
  /** Ids of the events that have arrived. */
  arrived(): readonly string[] | Promise<readonly string[]>
}

/** What certificates of targets are for. */
export const NAME = 'target.example'
/** A connection past the proxy would be allowed. */
const RULES: NetworkRules = {
  allowedNetworks: ['127.0.0.0/8', '::1/128'],
  allowedNames: [],
  allowedPorts: [],
  allowsPlainHttp: true,
}
const SEND_LIMIT_MS = 20_000

const anOutgoing = (): OutgoingEvent => ({
  meta: anEventMeta({ id: newEventId() }),
  payload: Buffer.from('{}'),
})

const send = (sender: Sender, event = anOutgoing()): Promise<Outcome> =>
  sender.send(event, { number: 1, deliveryId: 'dlv_1' }, AbortSignal.timeout(SEND_LIMIT_MS))

/**
 * What every type does with the network, behind a forward proxy and without. Behind the proxy, the name of the target stands for this machine, where somebody else
 * listens at the port that is asked for: only the proxy knows the way to the target.
 */
export function describeDialled(type: string, target: DialledTarget): void {
  describe(`the sender of ${type} behind a forward proxy`, () => {
    let proxy: ConnectProxy
    let nameServer: NameServer
    let victim: Victim
    let script: TunnelScript
    const senders: Sender[] = []
    const toTarget: TunnelScript = () => ({ port: target.port })

    beforeAll(async () => {
      await target.start()
      proxy = await ConnectProxy.start((request) => script(request))
      nameServer = await NameServer.start()
      nameServer.answerBy(() => ({ addresses: ['127.0.0.1'] }))
      victim = await Victim.start()
    })
    afterAll(async () => {
      await victim.stop()
      await nameServer.stop()
      await proxy.stop()
      await target.stop()
    })
    beforeEach(() => {
      proxy.asked.splice(0)
      script = toTarget
    })
    afterEach(async () => {
      await Promise.all(senders.splice(0).map((sender) => sender.close()))
      expect([victim.connections, nameServer.asked]).toEqual([0, []])
    })

    function open(proxyUrl = proxy.url()): Sender {
      const network = new Network(RULES, { proxyUrl, dnsServers: [nameServer.address] })
      const sender = target.open(network, { host: NAME, port: victim.port })
      senders.push(sender)
      return sender
    }
    it('delivers by one tunnel, asked for by name and with the login of the proxy', async () => {
      const sender = open(proxy.url('user:pass'))
      const events = Array.from({ length: 20 }, anOutgoing)
      const outcomes = await Promise.all(events.map((event) => send(sender, event)))
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']))
      const authorization = `Basic ${Buffer.from('user:pass').toString('base64')}`
      expect(proxy.asked).toEqual([{ authority: `${NAME}:${victim.port}`, authorization }])
      const ids = await target.arrived()
      expect(events.filter(({ meta }) => !ids.includes(meta.id))).toEqual([])
    })

    it.each<[string, ReturnType<TunnelScript>, Outcome['kind'], Outcome['code']]>([
      ['wants another login', { status: 407 }, 'retryable', 'proxy_failed'],
      ['cannot reach the target', { status: 502 }, 'retryable', 'proxy_failed'],
      ['does not speak HTTP', 'garbage', 'retryable', 'proxy_failed'],
      ['closes the connection', 'close', 'retryable', 'proxy_failed'],
      ['forbids the target', { status: 403 }, 'permanent', 'address_blocked'],
    ])(
      'says so when the proxy %s, and delivers when it does no longer',
      async (_case, answer, kind, code) => {
        const sender = open()
        script = () => answer
        const outcomes = await Promise.all([send(sender), send(sender), send(sender)])
        expect(outcomes.map((outcome) => [outcome.kind, outcome.code])).toEqual(
          outcomes.map(() => [kind, code]),
        )
        expect(await send(sender)).toMatchObject({ kind, code })
        script = toTarget
        expect((await send(sender)).kind).toBe('delivered')
      },
    )

    it('does not charge the target when nobody listens where the proxy should be', async () => {
      const gone = await ConnectProxy.start(() => 'close')
      const url = gone.url()
      await gone.stop()
      expect(await send(open(url))).toMatchObject({ kind: 'retryable', code: 'proxy_failed' })
    })

    it('goes on after the proxy ended all tunnels', async () => {
      const sender = open()
      expect((await send(sender)).kind).toBe('delivered')
      proxy.endTunnels()
      const codes: string[] = []
      await eventually(async () => {
        const { kind, code } = await send(sender)
        codes.push(code)
        return kind === 'delivered'
      })
      expect(proxy.asked).toHaveLength(2)
      // Whoever is under way learns of the loss, and does not wait for an answer that cannot come.
      expect(codes).not.toContain('timeout')
    })

    it('leaves no connection behind, also when the proxy is silent', async () => {
      const [used, waiting] = [open(), open()]
      expect((await send(used)).kind).toBe('delivered')
      script = () => 'silence'
      const givenUp = new AbortController()
      const sent = waiting.send(anOutgoing(), { number: 1, deliveryId: 'dlv_1' }, givenUp.signal)
      await eventually(() => proxy.asked.length === 2)
      givenUp.abort('timeout')
      expect(await sent).toMatchObject({ code: 'timeout' })
      await Promise.all([used.close(), waiting.close()])
      await eventually(() => proxy.connections === 0)
    })
  })

  describe(`the sender of ${type} without a proxy`, () => {
    let nameServer: NameServer
    const senders: Sender[] = []

    beforeAll(async () => {
      await target.start()
      nameServer = await NameServer.start()
      nameServer.answerBy(() => ({ addresses: ['127.0.0.1'] }))
    })
    afterAll(async () => {
      await nameServer.stop()
      await target.stop()
    })
    afterEach(async () => {
      await Promise.all(senders.splice(0).map((sender) => sender.close()))
    })

    function open(rules: Partial<NetworkRules> = {}, host = NAME): Sender {
      const network = new Network({ ...RULES, ...rules }, { dnsServers: [nameServer.address] })
      const sender = target.open(network, { host, port: target.port })
      senders.push(sender)
      return sender
    }

    it('asks the name servers of the network, once for a connection', async () => {
      const sender = open()
      for (let number = 1; number <= 3; number++) expect((await send(sender)).kind).toBe('delivered')
      expect(new Set(nameServer.asked.map(({ name }) => name))).toEqual(new Set([NAME]))
    })

    it.each<[string, Partial<NetworkRules>]>([
      ['is not public', { allowedNetworks: [] }],
      ['was denied', { deniedAddresses: [{ host: '127.0.0.1', port: 0 }] }],
      ['has another port than the allowed ones', { allowedPorts: [443] }],
    ])('connects to no address that %s', async (_case, rules) => {
      const deniedAddresses = rules.deniedAddresses?.map((one) => ({ ...one, port: target.port }))
      const sender = open({ ...rules, ...(deniedAddresses && { deniedAddresses }) })
      expect(await send(sender)).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
    })

    it('wants the certificate of the name', async () => {
      expect(await send(open({}, 'other.example'))).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
    })
  })
}
