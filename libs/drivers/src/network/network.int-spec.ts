import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  anEventMeta,
  hostileAddresses,
  hostileUrls,
  NameServer,
  startReceiver,
  Victim,
  type Receiver,
} from '@barnabas/testing'
import type { Outcome } from '@barnabas/domain'
import { webhook } from '../webhook/webhook.driver.js'
import { openUnchecked } from '../webhook/testing/open-webhook.js'
import { newSecret } from '../webhook/webhook.signature.js'
import { addressOfUrl } from './http.js'
import { LOOPBACK_RULES, Network, type NetworkRules } from './network.js'

/** Nothing but the public internet; plain http is not what the tables are about. */
const PUBLIC_RULES: NetworkRules = {
  allowedNetworks: [],
  allowedNames: [],
  allowedPorts: [],
  allowsPlainHttp: true,
}
/** Example of a public address; nothing dials it. */
const PUBLIC = '93.184.216.34'

const secret = newSecret()
const event = { meta: anEventMeta(), payload: Buffer.from('{"order_id": 1}') }

async function deliver(url: string, network: Network): Promise<Outcome> {
  const sender = openUnchecked(url, network)
  try {
    return await sender.send(event, { number: 1, deliveryId: 'dlv_1' }, AbortSignal.timeout(10_000))
  } finally {
    await sender.close()
  }
}

const isHttp = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

describe('the network guard', () => {
  let victim: Victim
  let nameServer: NameServer
  let redirecting: Receiver

  beforeAll(async () => {
    victim = await Victim.start()
    nameServer = await NameServer.start()
    redirecting = await startReceiver()
  })
  afterAll(async () => {
    await redirecting.stop()
    await nameServer.stop()
    await victim.stop()
  })
  beforeEach(() => nameServer.answerBy(() => null))
  afterEach(() => expect(victim.connections).toBe(0))

  const resolvingHere = (rules: NetworkRules): Network =>
    new Network(rules, { dnsServers: [nameServer.address] })

  it('is tested with a listener that would notice', async () => {
    const control = await Victim.start()
    const outcome = await deliver(`http://127.0.0.1:${control.port}/`, new Network(LOOPBACK_RULES))
    expect(outcome.code).toBe('connection_reset')
    expect(control.connections).toBe(1)
    await control.stop()
  })

  describe.each(hostileUrls(0).map(([what], index) => [what, index] as const))('%s', (_what, index) => {
    const urlNow = (): string => hostileUrls(victim.port)[index]?.[1] ?? ''
    const shown = JSON.stringify(hostileUrls(1)[index]?.[1])

    it(`${shown} is refused by the field or by the verdict`, async () => {
      const settings = { config: { url: urlNow() }, credentials: { secret } }
      const valid = webhook.validate(settings)
      if (!valid.ok) return expect(valid.failure.map(({ path }) => path)).toEqual(['config.url'])
      const [address] = webhook.addresses(valid.value)
      expect(address && (await resolvingHere(PUBLIC_RULES).allows(address))).toBe(false)
    })

    it(`${shown} is not delivered to, and nobody is connected to`, async () => {
      const url = urlNow()
      if (!isHttp(url))
        return expect(webhook.validate({ config: { url }, credentials: { secret } }).ok).toBe(false)
      expect(await deliver(url, resolvingHere(PUBLIC_RULES))).toMatchObject({
        kind: 'permanent',
        code: 'address_blocked',
      })
    })

    it(`${shown} is not followed when a target redirects to it`, async () => {
      // Even where loopback is allowed: what comes back is an answer, never a new address.
      const location = urlNow()
        .replace(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character))
        .trim()
      redirecting.answerBy(() => ({ status: 307, headers: { location } }))
      const outcome = await deliver(redirecting.url('/hook'), new Network(LOOPBACK_RULES))
      expect(outcome).toMatchObject({ kind: 'retryable', code: 'http_307' })
    })
  })

  describe('with a name server that changes its mind', () => {
    it.each(hostileAddresses())(
      'accepts the name and does not deliver when it then is %s',
      async (address) => {
        nameServer.answerBy((_question, count) => ({ addresses: [count === 1 ? PUBLIC : address] }))
        const network = resolvingHere(PUBLIC_RULES)
        const url = `http://rebind.example:${victim.port}/`
        expect(await network.allows(addressOfUrl(url))).toBe(true)
        // A family for which there was no answer is asked once as well.
        if (address.includes(':')) nameServer.answerBy(() => ({ addresses: [address] }))
        expect(await deliver(url, network)).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
        expect(await network.allows(addressOfUrl(url))).toBe(false)
        expect(victim.connections).toBe(0)
      },
    )

    it.each<[string, readonly string[]]>([
      ['one of several addresses is private', [PUBLIC, '10.0.0.1']],
      [
        'the last of many is this machine',
        [...Array.from({ length: 10 }, (_, n) => `93.184.216.${n + 1}`), '127.0.0.1'],
      ],
      ['only IPv6 answers, with this machine', ['::1']],
      ['IPv4 is public and IPv6 is not', [PUBLIC, 'fd00::1']],
      ['IPv6 is public and IPv4 is not', ['2606:4700:4700::1111', '127.0.0.1']],
      ['IPv6 hides IPv4', ['::ffff:127.0.0.1']],
    ])('refuses when %s', async (_case, addresses) => {
      nameServer.answerBy(() => ({ addresses }))
      const network = resolvingHere(PUBLIC_RULES)
      const url = `http://several.example:${victim.port}/`
      expect(await network.allows(addressOfUrl(url))).toBe(false)
      expect(await deliver(url, network)).toMatchObject({ code: 'address_blocked' })
    })

    it('refuses an alias of an internal name', async () => {
      nameServer.answerBy(() => ({ alias: 'db.internal', addresses: ['127.0.0.1'] }))
      const url = `http://alias.example:${victim.port}/`
      expect(await deliver(url, resolvingHere(PUBLIC_RULES))).toMatchObject({ code: 'address_blocked' })
    })

    it('refuses names that carry an address, as public services answer them', async () => {
      nameServer.answerBy(({ name }) => ({ addresses: [name.replace('.nip.io', '')] }))
      const url = `http://127.0.0.1.nip.io:${victim.port}/`
      expect(await deliver(url, resolvingHere(PUBLIC_RULES))).toMatchObject({ code: 'address_blocked' })
    })

    it('never asks for a name of this machine, whatever a name server would say', async () => {
      nameServer.answerBy(() => ({ addresses: [PUBLIC] }))
      for (const name of ['localhost', 'app.localhost', 'metadata.google.internal', 'printer.local'])
        expect(await deliver(`http://${name}:${victim.port}/`, resolvingHere(PUBLIC_RULES))).toMatchObject({
          code: 'address_blocked',
        })
      expect(nameServer.asked).toEqual([])
    })
  })
})
