import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { CreateStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MINUTE, newEventId, newTenantUid, type Outcome } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import { prepareMoto, queryFault, startMoto, type Moto } from '@barnabas/tools'
import { awsEventbridge } from '../aws-eventbridge/aws-eventbridge.driver.js'
import { awsKinesis } from '../aws-kinesis/aws-kinesis.driver.js'
import { awsS3 } from '../aws-s3/aws-s3.driver.js'
import { awsSns } from '../aws-sns/aws-sns.driver.js'
import { awsSqs } from '../aws-sqs/aws-sqs.driver.js'
import type { Driver, Sender, SenderTools } from '../driver.js'
import { OperatorIdentity } from '../identity/operator-identity.js'
import { LOOPBACK_RULES, Network, type DialOptions } from '../network/network.js'
import { ACCOUNT, inspecting, REGION } from '../testing/aws.js'
import { AwsGate } from '../testing/aws-gate.js'
import { operatorEnvironment } from '../testing/describe-aws-client.js'
import { testNetwork } from '../testing/test-tools.js'

/** The first time on a machine, the stand-in is built. */
const BUILD_LIMIT_MS = 600_000
/** Longer than a failure is answered again. */
const AFTER_BACK_OFF = { timeoutMs: 12_000 }

const OPERATOR_ROLE = 'arn:aws:iam::210987654321:role/barnabas'
const ROLE = `arn:aws:iam::${ACCOUNT}:role/events-sender`
const TENANT = newTenantUid()

const S3 = { driver: awsS3, config: { region: REGION, bucket: 'my-events-1' } }

const SQS = {
  driver: awsSqs,
  config: { queue_url: `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/events` },
}

const TYPES: readonly { readonly driver: Driver; readonly config: Readonly<Record<string, string>> }[] = [
  { driver: awsEventbridge, config: { region: REGION, event_bus_name: 'default' } },
  { driver: awsKinesis, config: { region: REGION, stream_name: 'events' } },
  S3,
  { driver: awsSns, config: { topic_arn: `arn:aws:sns:${REGION}:${ACCOUNT}:events` } },
  SQS,
]

/** Writes down what is dialled, and lets nothing out. */
class RecordingNetwork extends Network {
  readonly dialled: string[] = []

  override dial({ host, port, tls }: DialOptions) {
    this.dialled.push(`${tls ? 'tls' : 'plain'} ${host}:${port}`)
    return super.dial({ host: '127.0.0.1', port: 1 })
  }
}

describe('destinations at AWS that name a role', () => {
  let moto: Moto
  let gate: AwsGate
  let folder: string
  let tokenFile: string
  const senders: Sender[] = []
  const cleanUps: (() => void)[] = []
  /** What the operator is told. */
  const told: string[] = []

  beforeAll(prepareMoto, BUILD_LIMIT_MS)
  beforeAll(async () => {
    moto = await startMoto()
    folder = mkdtempSync(join(tmpdir(), 'barnabas-aws-role-'))
    tokenFile = join(folder, 'token')
    const client = inspecting(moto.url)
    const http1 = { requestHandler: new NodeHttpHandler() }
    await Promise.all([
      new SQSClient(client).send(new CreateQueueCommand({ QueueName: 'events' })),
      new SNSClient(client).send(new CreateTopicCommand({ Name: 'events' })),
      new S3Client({ ...client, forcePathStyle: true }).send(
        new CreateBucketCommand({ Bucket: 'my-events-1' }),
      ),
      new KinesisClient({ ...client, ...http1 }).send(
        new CreateStreamCommand({ StreamName: 'events', ShardCount: 1 }),
      ),
    ])
  })
  afterAll(async () => {
    await moto.stop()
    rmSync(folder, { recursive: true })
  })
  // One for each test: what another one's cache still asks for in the background does not reach it.
  beforeEach(async () => {
    gate = await AwsGate.start(moto.port, OPERATOR_ROLE)
    gate.trust(ROLE, (externalId) => externalId === TENANT)
    writeFileSync(tokenFile, `${gate.webToken}\n`)
  })
  beforeEach(() => void told.splice(0))
  afterEach(async () => {
    gate.stsFault = null
    for (const cleanUp of cleanUps.splice(0)) cleanUp()
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
    await gate.stop()
  })

  /** As an operator's process has them. Each has an identity of its own, which keeps nothing of another test. */
  const toolsOf = (change: Partial<SenderTools> = {}): SenderTools => ({
    network: testNetwork(),
    endpoints: new Map(
      ['aws_sts', ...TYPES.map(({ driver }) => driver.type)].map((type) => [type, gate.url]),
    ),
    identity: identity(),
    tenantUid: TENANT,
    ...change,
  })

  const identity = (region = 'eu-west-1'): OperatorIdentity =>
    new OperatorIdentity({ aws: { roleArn: OPERATOR_ROLE, tokenFile, region }, google: null }, (...failure) =>
      told.push(failure.join(' ')),
    )

  function open(tools = toolsOf(), { driver, config }: { driver: Driver; config: object } = S3): Sender {
    const valid = driver.validate({ config: { ...config, role_arn: ROLE }, credentials: {} })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const sender = driver.open(valid.value, tools)
    senders.push(sender)
    return sender
  }

  const send = (sender: Sender, signal = new AbortController().signal): Promise<Outcome> =>
    sender.send(
      { meta: anEventMeta({ id: newEventId() }), payload: Buffer.from('{}') },
      { number: 1, deliveryId: 'dlv_1' },
      signal,
    )

  const detailOf = (outcome: Outcome): string => (outcome.kind === 'delivered' ? '' : outcome.detail)

  it.each(TYPES)('deliver as the role that the tenant named: $driver.type', async ({ driver, config }) => {
    expect(await send(open(toolsOf(), { driver, config }))).toMatchObject({ kind: 'delivered' })
    expect(gate.seen.map(({ action, status }) => `${action} ${status}`)).toEqual([
      'AssumeRoleWithWebIdentity 200',
      'AssumeRole 200',
      'AssumeRole 403',
      'null 200',
    ])
    const [operator, role, , event] = gate.seen
    expect(operator).toMatchObject({ accessKey: '', sessionName: 'barnabas' })
    expect(role).toMatchObject({ region: REGION, externalId: TENANT, sessionName: `barnabas-${TENANT}` })
    expect(event?.accessKey).not.toBe(role?.accessKey)
  })

  it('have nothing of the settings and credentials for AWS that the process has', async () => {
    const before = { ...process.env }
    cleanUps.push(() => (process.env = before))
    Object.assign(process.env, operatorEnvironment(folder), {
      AWS_ROLE_ARN: 'arn:aws:iam::210987654321:role/other',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'none'),
      AWS_STS_REGIONAL_ENDPOINTS: 'legacy',
    })
    expect((await send(open())).kind).toBe('delivered')
    expect(gate.seen.map(({ accessKey }) => accessKey)).not.toContain('AKIAOPERATOR00000000')
    expect(gate.askedFor('AssumeRole').map(({ region }) => region)).toEqual([REGION, REGION])
    expect(existsSync(join(folder, 'asked'))).toBe(false)
  })

  it("ask the token service of the operator's region at its public address", async () => {
    const network = new RecordingNetwork(LOOPBACK_RULES)
    const tools = toolsOf({ network, endpoints: new Map(), identity: identity('eu-central-1') })
    expect(await send(open(tools))).toMatchObject({ kind: 'retryable', code: 'connection_refused' })
    expect(network.dialled).toEqual(['tls sts.eu-central-1.amazonaws.com:443'])
  })

  it("share the operator's session, and assume a role once for all sends of a moment", async () => {
    const tools = toolsOf()
    const [first, second] = [open(tools), open(tools)]
    const outcomes = await Promise.all([
      ...Array.from({ length: 20 }, () => send(first)),
      ...Array.from({ length: 20 }, () => send(second)),
    ])
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true)
    expect(gate.askedFor('AssumeRoleWithWebIdentity')).toHaveLength(1)
    expect(gate.askedFor('AssumeRole')).toHaveLength(4)
  })

  it('renew their credentials while events flow, with the token of that moment, and lose none', async () => {
    gate.lifeMs = 6_000
    const sender = open()
    const keys = () => new Set(gate.served.map(({ accessKey }) => accessKey))
    const outcomes = new Set<string>()
    await eventually(
      async () => {
        for (const { code } of await Promise.all([send(sender), send(sender), send(sender)]))
          outcomes.add(code)
        if (gate.webToken === 'token-1' && keys().size === 1) {
          gate.webToken = 'token-2'
          writeFileSync(tokenFile, gate.webToken)
        }
        return keys().size >= 4
      },
      { timeoutMs: 40_000 },
    )
    expect([...outcomes]).toEqual(['accepted'])
    expect(gate.served.every(({ status }) => status === 200)).toBe(true)
    const probes = gate.askedFor('AssumeRole').filter(({ externalId }) => externalId !== TENANT)
    expect(probes.length).toBeGreaterThanOrEqual(4)
  }, 60_000)

  it.each<[string, (externalId: string | null) => boolean]>([
    ['any external id', () => true],
    ['whatever looks like a tenant', (externalId) => /^t_[0-9a-f]{32}$/.test(externalId ?? '')],
  ])('are not used with a role that takes %s', async (_what, trust) => {
    gate.trust(ROLE, trust)
    const outcome = await send(open())
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'invalid_settings' })
    expect(detailOf(outcome)).toContain('sts:ExternalId')
    expect(gate.served).toEqual([])
  })

  it('end when the role stops to demand the external id', async () => {
    gate.lifeMs = 3_000
    const sender = open()
    expect((await send(sender)).kind).toBe('delivered')
    gate.trust(ROLE, () => true)
    const outcome = await eventually(async () => {
      const { code } = await send(sender)
      return code === 'accepted' ? null : code
    })
    expect(outcome).toBe('invalid_settings')
  })

  it.each([
    ['with a request each', S3],
    ['in batches', SQS],
  ])('assume the role anew when the service no longer takes its session: %s', async (_how, type) => {
    const sender = open(toolsOf(), type)
    expect((await send(sender)).kind).toBe('delivered')
    gate.revoke()
    const now = Date.now.bind(Date)
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 2 * MINUTE)
    cleanUps.push(() => clock.mockRestore())
    expect((await send(sender)).code).toBe('credentials_rejected')
    expect((await send(sender)).kind).toBe('delivered')
  })

  it('are told whom the role must trust when it does not', async () => {
    gate.trust(ROLE, (externalId) => externalId === 'another')
    const outcome = await send(open())
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'credentials_rejected' })
    expect(detailOf(outcome)).toContain(OPERATOR_ROLE)
    expect(detailOf(outcome)).toContain(TENANT)
    expect(gate.askedFor('AssumeRole')).toHaveLength(1)
  })

  it('cannot use the role of another tenant', async () => {
    const identity = toolsOf().identity
    expect((await send(open(toolsOf({ identity })))).kind).toBe('delivered')
    const before = gate.served.length
    const stranger = open(toolsOf({ identity, tenantUid: newTenantUid() }))
    expect(await send(stranger)).toMatchObject({ kind: 'permanent', code: 'credentials_rejected' })
    expect(gate.served.length).toBe(before)
  })

  it.each<[string, () => SenderTools]>([
    ['no identity', () => ({ network: testNetwork(), endpoints: toolsOf().endpoints, tenantUid: TENANT })],
    ['none at AWS', () => toolsOf({ identity: new OperatorIdentity({ aws: null, google: null }) })],
    [
      'no name for the tenant',
      () => ({ network: testNetwork(), endpoints: toolsOf().endpoints, identity: identity() }),
    ],
  ])('end for good where the service has %s, and nobody is asked', async (_what, tools) => {
    expect(await send(open(tools()))).toMatchObject({ kind: 'permanent', code: 'invalid_settings' })
    expect(gate.seen).toEqual([])
  })

  it('wait for a token file that is not there yet, and say nothing of it', async () => {
    rmSync(tokenFile)
    const sender = open()
    const outcome = await send(sender)
    expect(outcome).toMatchObject({ kind: 'retryable', code: 'identity_failed' })
    expect(detailOf(outcome)).not.toContain(folder)
    expect(told.splice(0)).toEqual([`aws ${tokenFile} is not there, cannot be read or is empty`])
    writeFileSync(tokenFile, gate.webToken)
    await eventually(async () => (await send(sender)).kind === 'delivered', AFTER_BACK_OFF)
  })

  it('are not to blame for a token that AWS refuses', async () => {
    writeFileSync(tokenFile, 'of somebody else')
    expect(await send(open())).toMatchObject({ kind: 'retryable', code: 'identity_failed' })
    expect(told.splice(0)).toEqual([expect.stringMatching(/^aws InvalidIdentityToken/)])
  })

  it('try again after the token service was down, and do not storm it meanwhile', async () => {
    gate.stsFault = queryFault(503, 'ServiceUnavailable')
    const sender = open()
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => send(sender)))
    outcomes.push(...(await Promise.all(Array.from({ length: 200 }, () => send(sender)))))
    expect(new Set(outcomes.map(({ kind, code }) => `${kind} ${code}`))).toEqual(
      new Set(['retryable target_failed']),
    )
    expect(gate.seen).toHaveLength(1)
    gate.stsFault = null
    await eventually(async () => (await send(sender)).kind === 'delivered', AFTER_BACK_OFF)
  })

  it('go on with the credentials in use while the token service is down', async () => {
    gate.lifeMs = 8_000
    const sender = open()
    expect((await send(sender)).kind).toBe('delivered')
    gate.stsFault = queryFault(400, 'Throttling')
    const asked = gate.seen.length - gate.served.length
    await eventually(async () => {
      expect((await send(sender)).kind).toBe('delivered')
      return gate.seen.length - gate.served.length > asked
    })
    expect((await send(sender)).kind).toBe('delivered')
  })

  it.each([
    ['with a request each', S3],
    ['in batches', SQS],
  ])('end at once when they are given up while a role is being assumed: %s', async (_how, type) => {
    gate.stsFault = 'hold'
    const tools = toolsOf()
    const sender = open(tools, type)
    const abort = new AbortController()
    const sent = send(sender, abort.signal)
    await eventually(() => gate.seen.length === 1)
    abort.abort('timeout')
    expect((await sent).code).toBe('timeout')
    // It does not wait for the token service, which has not answered yet.
    await sender.close()
    expect(gate.seen.map(({ status }) => status)).toEqual([0])
    gate.reset()
    const next = open(tools, type)
    await eventually(async () => (await send(next)).kind === 'delivered', AFTER_BACK_OFF)
  })
})
