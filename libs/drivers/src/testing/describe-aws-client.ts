import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { generate } from 'selfsigned'
import { newEventId, type Outcome } from '@barnabas/domain'
import { anEventMeta } from '@barnabas/testing'
import type { AwsFaults } from '@barnabas/tools'
import type { Driver, RawSettings, Sender, SenderTools } from '../driver.js'
import { LOOPBACK_RULES, Network, type DialOptions } from '../network/network.js'
import { testTools } from './test-tools.js'

interface Harness {
  readonly faults: AwsFaults
  start(): Promise<void>
  stop(): Promise<void>
  settings(): RawSettings
  publicSettings(): RawSettings
  settingsOf(endpoint: string): RawSettings
  /** Where AWS serves `publicSettings`. */
  readonly publicHost: string
}

/** Writes down what is dialled, and lets nothing out. */
class RecordingNetwork extends Network {
  readonly dialled: string[] = []

  override dial({ host, port, tls }: DialOptions) {
    this.dialled.push(`${tls ? 'tls' : 'plain'} ${host}:${port}`)
    return super.dial({ host: '127.0.0.1', port: 1 })
  }
}

/** Nothing that is not public may be reached. */
const STRICT = { allowedNetworks: [], allowedNames: [], allowedPorts: [], allowsPlainHttp: false }

/** Answers of a target that is none, or wants to do harm. None holds what a success of any service holds. */
const HOSTILE = [
  '', '<html>', '[]', 'null', '{', '{"Successful":5}', '{"Entries":{"length":1}}', '{"Records":[null]}',
  '{"Failed":[{"Id":"__proto__","Code":{"a":1}}]}', '{"Successful":[{"Id":"-1"},{"Id":"1e9"}]}',
] // prettier-ignore

/** What all AWS types have in common: as whom a client acts, where it connects to, and what it makes of answers. */
export function describeAwsClient(driver: Driver, harness: Harness): void {
  describe(`the client of ${driver.type}`, () => {
    const senders: Sender[] = []
    const cleanUps: (() => void)[] = []

    beforeAll(() => harness.start())
    afterAll(() => harness.stop())
    afterEach(async () => {
      await Promise.all(senders.splice(0).map((sender) => sender.close()))
      for (const cleanUp of cleanUps.splice(0)) cleanUp()
    })

    async function send(settings: RawSettings, tools: SenderTools = testTools()): Promise<Outcome> {
      const valid = driver.validate(settings)
      if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
      const sender = driver.open(valid.value, tools)
      senders.push(sender)
      const event = { meta: anEventMeta({ id: newEventId() }), payload: Buffer.from('{}') }
      return sender.send(event, { number: 1, deliveryId: 'dlv_1' }, new AbortController().signal)
    }

    it('acts as the tenant alone, whatever the process has of AWS settings and credentials', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'barnabas-aws-'))
      const before = { ...process.env }
      cleanUps.push(() => {
        process.env = before
        rmSync(folder, { recursive: true })
      })
      Object.assign(process.env, operatorEnvironment(folder))
      expect((await send(harness.settings())).kind).toBe('delivered')
      const { authorization = '', ...headers } = harness.faults.seen.at(-1)?.headers ?? {}
      const { key } = harness.settings().credentials as { key: string }
      expect(authorization).toContain(`Credential=${key}/`)
      expect(authorization).toContain('/us-east-1/')
      expect(headers['x-amz-security-token']).toBeUndefined()
      expect(existsSync(join(folder, 'asked'))).toBe(false)
    })

    it('passes the session token of temporary credentials on', async () => {
      const { config, credentials } = harness.settings()
      await send({ config, credentials: { ...credentials, session: 'token/+=' } })
      expect(harness.faults.seen.at(-1)?.headers['x-amz-security-token']).toBe('token/+=')
    })

    it('connects to no address that the network forbids', async () => {
      const before = harness.faults.seen.length
      const outcome = await send(harness.settings(), { network: new Network(STRICT), endpoints: new Map() })
      expect(outcome).toMatchObject({ kind: 'permanent', code: 'address_blocked' })
      expect(harness.faults.seen.length).toBe(before)
    })

    it("goes to the operator's endpoint in place of AWS, and to no tenant's by that", async () => {
      const tools = { network: new Network(STRICT), endpoints: new Map([[driver.type, harness.faults.url]]) }
      expect((await send(harness.publicSettings(), tools)).kind).toBe('delivered')
      expect((await send(harness.settings(), tools)).code).toBe('address_blocked')
    })

    it('dials the public host of AWS when neither tenant nor operator names another', async () => {
      const network = new RecordingNetwork(LOOPBACK_RULES)
      const outcome = await send(harness.publicSettings(), { network, endpoints: new Map() })
      expect(outcome).toMatchObject({ kind: 'retryable', code: 'connection_refused' })
      expect(network.dialled).toEqual([`tls ${harness.publicHost}:443`])
    })

    it('names every address outside AWS that the tenant has given', () => {
      const addressesOf = (settings: RawSettings) => {
        const valid = driver.validate(settings)
        return valid.ok ? driver.addresses(valid.value) : []
      }
      const { port } = harness.faults
      expect(addressesOf(harness.settings())).toMatchObject([{ host: '127.0.0.1', port, isPlainHttp: true }])
      for (const { host } of addressesOf(harness.publicSettings())) expect(host).toMatch(/\.amazonaws\.com$/)
    })

    it('speaks TLS, and only with a target whose certificate it trusts', async () => {
      const { server, certificate } = await startTls(harness.faults.port)
      cleanUps.push(() => {
        server.closeAllConnections()
        server.close()
      })
      const settings = harness.settingsOf(`https://localhost:${(server.address() as AddressInfo).port}`)
      expect(await send(settings)).toMatchObject({ kind: 'retryable', code: 'tls_failed' })
      const trusted = getCACertificates('default')
      cleanUps.push(() => setDefaultCACertificates(trusted))
      setDefaultCACertificates([...trusted, certificate])
      expect((await send(settings)).kind).toBe('delivered')
    })

    it.each(HOSTILE)('answers retryable to an answer that says nothing: %s', async (body) => {
      // S3's answer to a success has no body at all: there the status says it.
      if (driver.type === 'aws_s3') return
      harness.faults.failNext(1, { status: 200, body })
      expect(await send(harness.settings())).toMatchObject({ kind: 'retryable', code: 'protocol_error' })
    })

    it.each([
      [307, 'protocol_error'],
      [403, 'credentials_rejected'],
      [413, 'payload_too_large'],
      [429, 'throttled'],
      [502, 'target_failed'],
    ])('judges by the status %d when there is no more, and follows no redirect', async (status, code) => {
      const before = harness.faults.seen.length
      const headers = { location: harness.faults.url, 'retry-after': '7' }
      harness.faults.failNext(1, { status, body: '<html>no</html>', headers })
      const outcome = await send(harness.settings())
      expect(outcome).toMatchObject({ code })
      if (outcome.kind === 'retryable' && code !== 'protocol_error') expect(outcome.retryAfterMs).toBe(7_000)
      expect(harness.faults.seen.length - before).toBe(1)
    })
  })
}

/** Whatever of it was used would be seen: another key, another address, or a file that was made. */
export function operatorEnvironment(folder: string): Record<string, string> {
  const [config, program] = [join(folder, 'config'), join(folder, 'credentials.sh')]
  writeFileSync(program, `#!/bin/sh\ntouch ${join(folder, 'asked')}\n`)
  chmodSync(program, 0o755)
  writeFileSync(
    config,
    `[default]\ncredential_process = ${program}\nendpoint_url = http://127.0.0.1:1\nregion = eu-north-1
use_fips_endpoint = true\ndefaults_mode = auto\nmax_attempts = 9\n`,
  )
  return {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: config,
    AWS_ACCESS_KEY_ID: 'AKIAOPERATOR00000000',
    AWS_SECRET_ACCESS_KEY: 'operator',
    AWS_SESSION_TOKEN: 'operator',
    AWS_REGION: 'eu-north-1',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_DEFAULTS_MODE: 'auto',
    AWS_USE_FIPS_ENDPOINT: 'true',
    AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1',
  }
}

/** TLS in front of the proxy. */
async function startTls(port: number): Promise<{ server: Server; certificate: string }> {
  const names = [{ type: 2 as const, value: 'localhost' }]
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: names }],
  })
  const server = createServer({ key: pems.private, cert: pems.cert }, (incoming, outgoing) => {
    const { method, url: path, headers } = incoming
    const passed = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, certificate: pems.cert }
}
