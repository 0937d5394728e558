import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  findDriver,
  Network,
  type Driver,
  type IdentitySettings,
  type NetworkRules,
  type ValidSettings,
} from '@barnabas/drivers'
import { hostileAddresses, hostileUrls, NameServer, Victim } from '@barnabas/testing'
import { ApiError } from '../http/api-error.js'
import { TargetVerdict } from './target-verdict.js'

const RULES: NetworkRules = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: true }
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const NOBODY = { aws: null, google: null }
const REFUSED = ['config.url must be an address that may be connected to from here']

function webhook(): Driver {
  const driver = findDriver('webhook')
  if (!driver) throw new Error('no webhook')
  return driver
}

describe('TargetVerdict', () => {
  let nameServer: NameServer
  let victim: Victim

  beforeAll(async () => {
    nameServer = await NameServer.start()
    victim = await Victim.start()
  })
  afterAll(async () => {
    await nameServer.stop()
    await victim.stop()
  })
  beforeEach(() => nameServer.answerBy(() => ({ addresses: ['93.184.216.34'] })))
  afterEach(() => expect(victim.connections).toBe(0))

  const verdictBy = (rules: NetworkRules, identity: IdentitySettings = NOBODY): TargetVerdict =>
    new TargetVerdict(new Network(rules, { dnsServers: [nameServer.address] }), identity)

  /** What is said of a URL, by the field or by the verdict; nothing when it is accepted. */
  async function problemsOf(url: string, rules: NetworkRules = RULES): Promise<string[]> {
    const valid = webhook().validate({ config: { url }, credentials: { secret: SECRET } })
    if (!valid.ok) return valid.failure.map(({ path }) => path)
    return said(() => verdictBy(rules).check(webhook(), valid.value))
  }

  async function said(check: () => Promise<void>): Promise<string[]> {
    try {
      await check()
      return []
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      expect(error.status).toBe(422)
      return [...(error.data as readonly string[])]
    }
  }

  it.each(
    hostileUrls(0).map(([what, url], index): [string, string, number] => [what, JSON.stringify(url), index]),
  )('refuses %s: %s', async (_what, _shown, index) => {
    const url = hostileUrls(victim.port)[index]?.[1] ?? ''
    expect([['config.url'], REFUSED]).toContainEqual(await problemsOf(url))
  })

  it.each(hostileAddresses())('refuses a name that stands for %s', async (address) => {
    nameServer.answerBy(() => ({ addresses: ['93.184.216.34', address] }))
    expect(await problemsOf('https://target.example/')).toEqual(REFUSED)
  })

  it.each([
    'https://target.example/',
    'https://1.1.1.1/',
    'https://[2606:4700:4700::1111]:8443/',
    'http://target.example/',
  ])('accepts %s', async (url) => {
    expect(await problemsOf(url)).toEqual([])
  })

  it('accepts a name that does not resolve now, or not in time: deliveries judge it', async () => {
    nameServer.answerBy(() => null)
    expect(await problemsOf('https://later.example/')).toEqual([])
    nameServer.answerBy(() => 'silence')
    const startedMs = performance.now()
    expect(await problemsOf('https://slow.example/')).toEqual([])
    expect(performance.now() - startedMs).toBeLessThan(8_000)
  })

  it('wants TLS unless plain http is allowed, and other ports only when they are', async () => {
    expect(await problemsOf('http://target.example/', { ...RULES, allowsPlainHttp: false })).toEqual([
      'config.url must begin with https://; http without TLS is not allowed here',
    ])
    expect(await problemsOf('https://target.example:22/', { ...RULES, allowedPorts: [443] })).toEqual(REFUSED)
    expect(await problemsOf('https://target.example/', { ...RULES, allowedPorts: [443] })).toEqual([])
  })

  it.each([
    ['aws_eventbridge', { region: 'us-east-1' }],
    ['aws_kinesis', { region: 'us-east-1', stream_name: 'events' }],
    ['aws_s3', { region: 'us-east-1', bucket: 'events' }],
    ['aws_sns', { topic_arn: 'arn:aws:sns:us-east-1:123456789012:events' }],
    ['aws_sqs', { queue_url: 'https://sqs.us-east-1.amazonaws.com/123456789012/events' }],
  ])('wants keys of %s unless the operator has set an identity up', async (type, config) => {
    const driver = findDriver(type)
    const role_arn = 'arn:aws:iam::123456789012:role/events-sender'
    const valid = driver?.validate({ config: { ...config, role_arn }, credentials: {} })
    if (!driver || !valid?.ok) throw new Error('not valid')
    expect(await said(() => verdictBy(RULES).check(driver, valid.value))).toEqual([
      'config.role_arn needs an identity of this service at AWS, which its operator has not set up; give keys instead',
    ])
    const roleArn = 'arn:aws:iam::210987654321:role/barnabas'
    const identity = { ...NOBODY, aws: { roleArn, tokenFile: '/token', region: 'us-east-1' } }
    expect(await said(() => verdictBy(RULES, identity).check(driver, valid.value))).toEqual([])
  })

  it('tells every setting once, however many of its addresses are refused', async () => {
    const named = (path: string, host: string) => ({ path, host, port: 9092 })
    const driver: Driver = {
      ...webhook(),
      addresses: () => [
        named('config.brokers', '10.0.0.1'),
        named('config.brokers', '10.0.0.2'),
        named('config.registry', 'target.example'),
        named('config.token_url', 'localhost'),
      ],
    }
    const settings: ValidSettings = { config: {}, credentials: {} }
    expect(await said(() => verdictBy(RULES).check(driver, settings))).toEqual([
      'config.brokers must be an address that may be connected to from here',
      'config.token_url must be an address that may be connected to from here',
    ])
  })

  it.each<[string, IdentitySettings, string[]]>([
    [
      'refuses settings that need an account of this service where it has none',
      NOBODY,
      [
        'config.authentication needs an identity of this service at Google Cloud, which its operator has not set up; give keys instead',
      ],
    ],
    ['takes them where it has one', { aws: null, google: { source: 'metadata' } }, []],
  ])('%s', async (_name, identity, expected) => {
    const driver = findDriver('gcp_pubsub')
    const valid = driver?.validate({
      config: { project_id: 'my-project-123', topic: 'events', authentication: 'workload_identity' },
      credentials: {},
    })
    if (!driver || !valid?.ok) throw new Error('not valid')
    const verdict = new TargetVerdict(new Network(RULES), identity)
    expect(await said(() => verdict.check(driver, valid.value))).toEqual(expected)
  })
})
