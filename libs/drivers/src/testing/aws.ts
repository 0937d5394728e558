import { afterAll, beforeAll } from '@jest/globals'
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
  type Message,
} from '@aws-sdk/client-sqs'
import {
  prepareMoto,
  jsonFault,
  startAwsFaults,
  startMoto,
  type AwsFaults,
  type Fault,
  type Moto,
} from '@barnabas/tools'
import type { Driver, RawSettings, Sender } from '../driver.js'
import { describeAwsClient } from './describe-aws-client.js'
import { describeDriver, type Arrived, type DriverHarness } from './describe-driver.js'
import type { Rotation } from './describe-rotation.js'
import { useSenders } from './test-senders.js'

export const ACCOUNT = '123456789012'
export const REGION = 'us-east-1'
export const CREDENTIALS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
/** The proxy answers whoever signs with it as AWS answers unknown keys. */
const WRONG_KEY = 'AKIAWRONGWRONGWRONG1'
/** The stand-in takes any key; the proxy refuses this one when it is retired. */
const OLD_KEY = 'AKIAOLDOLDOLDOLDOLD1'
export const CLOSED = 'http://127.0.0.1:1'
const FOREVER = 1_000_000

/** What a client of the SDK needs to look into the stand-in. */
export const inspecting = (endpoint: string) => ({
  region: REGION,
  endpoint,
  credentials: { accessKeyId: CREDENTIALS.key, secretAccessKey: CREDENTIALS.secret },
})

/** moto behind a proxy that makes faults, as a target of the drivers' common suite. */
export abstract class AwsHarness implements DriverHarness {
  private moto: Moto | null = null
  private proxy: AwsFaults | null = null
  private readonly earlier: Arrived[] = []

  abstract readonly invalid: DriverHarness['invalid']
  abstract readonly publicHost: string

  /** Makes the queue, topic … that the settings name; the stand-in is empty. */
  protected abstract prepare(): Promise<void>
  /** What has arrived since `prepare`. */
  protected abstract collect(): Promise<readonly Arrived[]>
  protected abstract settingsAt(endpoint: string): RawSettings

  /** Settings that name no address but AWS's own. */
  publicSettings(): RawSettings {
    const { config, credentials } = this.settings()
    const { endpoint: _endpoint, ...rest } = config
    return { config: rest, credentials }
  }

  /** Settings that reach the stand-in by another address. */
  settingsOf(endpoint: string): RawSettings {
    return this.settingsAt(endpoint)
  }
  protected wrongKeyFault(): Fault {
    return jsonFault(400, 'UnrecognizedClientException')
  }

  get faults(): AwsFaults {
    if (!this.proxy) throw new Error('not started')
    return this.proxy
  }

  /** Past the proxy. */
  get url(): string {
    if (!this.moto) throw new Error('not started')
    return this.moto.url
  }

  async start(): Promise<void> {
    this.moto = await startMoto()
    await this.startProxy()
    await this.prepare()
  }

  async stop(): Promise<void> {
    await this.proxy?.stop()
    await this.moto?.stop()
  }

  async restart(): Promise<void> {
    this.earlier.push(...(await this.collect()))
    const { port } = this.faults
    await this.stop()
    this.moto = await startMoto({ port: this.moto?.port ?? 0 })
    await this.startProxy(port)
    await this.prepare()
  }

  private async startProxy(port?: number): Promise<void> {
    this.proxy = await startAwsFaults(this.moto?.port ?? 0, port)
    this.proxy.failNext(FOREVER, this.wrongKeyFault(), WRONG_KEY)
  }

  settings(): RawSettings {
    return this.settingsAt(this.faults.url)
  }

  unreachable(): RawSettings {
    return this.settingsAt(CLOSED)
  }

  badCredentials() {
    const settings = { ...this.settings(), credentials: { ...CREDENTIALS, key: WRONG_KEY } }
    return { settings, code: 'credentials_rejected' as const }
  }

  rotation(): Rotation {
    const after = this.settings()
    return {
      before: { ...after, credentials: { ...CREDENTIALS, key: OLD_KEY } },
      after,
      retire: () => this.faults.failNext(FOREVER, this.wrongKeyFault(), OLD_KEY),
      refusal: 'credentials_rejected',
    }
  }

  becomeSlow(): void {
    this.faults.hold()
  }

  becomeQuick(): void {
    this.faults.release()
  }

  async arrived(): Promise<readonly Arrived[]> {
    return [...this.earlier, ...(await this.collect())]
  }
}

/** Mistakes that all types have in common. */
export const INVALID: DriverHarness['invalid'] = {
  'config.colour': (valid) => ({ ...valid, config: { ...valid.config, colour: 'red' } }),
  'config.region': (valid) => ({ ...valid, config: { ...valid.config, region: 'evil.example.com/' } }),
  'config.endpoint': (valid) => ({ ...valid, config: { ...valid.config, endpoint: 'ftp://example.com' } }),
  'credentials.key': (valid) => ({ ...valid, credentials: { ...valid.credentials, key: 'A, B/C' } }),
  'credentials.secret': (valid) => ({ ...valid, credentials: { ...valid.credentials, secret: '' } }),
  'credentials.session': (valid) => ({ ...valid, credentials: { ...valid.credentials, session: 'a\r\nb' } }),
}

/** The same settings with other fields. */
export const changing =
  (config: Record<string, string>) =>
  (valid: RawSettings): RawSettings => ({ ...valid, config: { ...valid.config, ...config } })

/** Takes everything out of a queue of the stand-in; the messages of a group only come when those before are gone. */
export async function drainQueue(queueUrl: string): Promise<Message[]> {
  const client = new SQSClient(inspecting(new URL(queueUrl).origin))
  const messages: Message[] = []
  for (;;) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    )
    if (Messages.length === 0) return messages
    const Entries = Messages.map(({ ReceiptHandle }, place) => ({ Id: String(place), ReceiptHandle }))
    await client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
    messages.push(...Messages)
  }
}

/** The first time on a machine, the stand-in is built. */
const BUILD_LIMIT_MS = 600_000

/** The suite of all drivers, and that of all AWS types, over the stand-in. */
export function describeAwsDriver(driver: Driver, harness: AwsHarness): void {
  beforeAll(prepareMoto, BUILD_LIMIT_MS)
  describeDriver(driver, harness)
  describeAwsClient(driver, harness)
}

/**
 * Runs the stand-in for the tests of the block that it is called in. Answers with what opens senders to it, each with
 * the harness's settings but for what is given; they are closed when their test has ended.
 */
export function useAwsSenders(
  driver: Driver,
  harness: AwsHarness,
): (config?: Record<string, string>) => Sender {
  beforeAll(() => harness.start())
  afterAll(() => harness.stop())
  const open = useSenders(driver)
  return (config = {}) => open(changing(config)(harness.settings()))
}
