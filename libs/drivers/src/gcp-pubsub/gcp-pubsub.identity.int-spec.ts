import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MINUTE, newEventId, newTenantUid, type TenantUid } from '@barnabas/domain'
import { anEventMeta, FakeClock, startReceiver, type Receiver } from '@barnabas/testing'
import { startPubsub, type PubsubTarget } from '@barnabas/tools'
import type { Sender, SenderTools } from '../driver.js'
import { GoogleIdentity } from '../identity/google-identity.js'
import { OperatorIdentity } from '../identity/operator-identity.js'
import { testNetwork, testTools } from '../testing/test-tools.js'
import { openClient } from './gcp-pubsub.client.js'
import { gcpPubsub } from './gcp-pubsub.driver.js'
import { TopicTrust, TRUST_LABEL } from './gcp-pubsub.trust.js'

const PROJECT = 'my-project-123'
const nameOf = (topic: string): string => `projects/${PROJECT}/topics/${topic}`
const [PERMISSION_DENIED, UNAUTHENTICATED] = [7, 16]
const NOBODY = { aws: null, google: null }
/** As the token exchange and the metadata server answer. */
const TOKEN = {
  status: 200,
  headers: { 'content-type': 'application/json', 'metadata-flavor': 'Google' },
  body: JSON.stringify({
    access_token: 'token-of-the-service',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3_600,
  }),
}
const never = new AbortController().signal
const attempt = { number: 1, deliveryId: 'dlv_1' }

describe('a destination at Pub/Sub that acts as this service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barnabas-google-'))
  const [acme, rival] = [newTenantUid(), newTenantUid()]
  const senders: Sender[] = []
  let target: PubsubTarget
  let tokens: Receiver
  let identity: OperatorIdentity

  beforeAll(async () => {
    target = await startPubsub()
    await target.createTopic(nameOf('acmes'), { [TRUST_LABEL]: acme })
    await target.createTopic(nameOf('open'))
  })
  afterAll(async () => {
    await target.stop()
    rmSync(folder, { recursive: true })
  })
  beforeEach(async () => {
    tokens = await startReceiver(() => TOKEN)
    identity = new OperatorIdentity({ aws: null, google: { source: federationFile() } })
  })
  afterEach(async () => {
    await target.setFaults([])
    await Promise.all(senders.splice(0).map((sender) => sender.close()))
    await tokens.stop()
  })

  /** As `gcloud iam workload-identity-pools create-cred-config` writes it, with a token exchange on this machine. */
  function federationFile(): string {
    const [file, subject] = [join(folder, 'credentials.json'), join(folder, 'subject-token')]
    writeFileSync(subject, 'token-of-the-cluster')
    writeFileSync(
      file,
      JSON.stringify({
        type: 'external_account',
        audience:
          '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/oidc',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: tokens.url('/v1/token'),
        credential_source: { file: subject },
      }),
    )
    return file
  }

  function open(topic: string, tenantUid: TenantUid, more: Partial<SenderTools> = { identity }): Sender {
    const valid = gcpPubsub.validate({
      config: { project_id: PROJECT, topic, authentication: 'workload_identity' },
      credentials: {},
    })
    if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
    const tools = { ...testTools({ gcp_pubsub: `http://127.0.0.1:${target.port}` }), tenantUid, ...more }
    const sender = gcpPubsub.open(valid.value, tools)
    senders.push(sender)
    return sender
  }

  const sendBy = (sender: Sender) =>
    sender.send({ meta: anEventMeta({ id: newEventId() }), payload: Buffer.from('{}') }, attempt, never)

  it('delivers to a topic that names its tenant, and exchanges one token for all', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, () => open('acmes', acme)).map((sender) => sendBy(sender)),
    )
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']))
    expect(tokens.received.map(({ path }) => path)).toEqual(['/v1/token'])
    expect(tokens.received[0]?.body.toString()).toContain('subject_token=token-of-the-cluster')
  })

  it("carries the service's token to Google's own endpoint", async () => {
    const { google } = identity
    if (!google) throw new Error('no identity')
    const address = { host: 'us-east1-pubsub.googleapis.com', port: 443 }
    const as = { google, tenantUid: acme }
    const client = await openClient({ projectId: PROJECT, network: testNetwork(), address, tls: {}, as })
    const headers = await (await client.auth.getClient()).getRequestHeaders()
    expect(headers.get('authorization')).toBe('Bearer token-of-the-service')
    await client.close()
  })

  it.each([
    ['of another tenant', 'acmes'],
    ['that names nobody', 'open'],
  ])('is refused at a topic %s, with what to do', async (_name, topic) => {
    const before = (await target.messages()).length
    expect(await sendBy(open(topic, rival))).toMatchObject({
      kind: 'permanent',
      code: 'credentials_rejected',
      detail: expect.stringContaining(`barnabas-tenant=${rival}`),
    })
    expect(await target.messages()).toHaveLength(before)
  })

  it('delivers as soon as the topic has the label', async () => {
    await target.createTopic(nameOf('later'))
    const sender = open('later', acme)
    expect((await sendBy(sender)).kind).toBe('permanent')
    await target.setLabels(nameOf('later'), { [TRUST_LABEL]: acme })
    expect((await sendBy(sender)).kind).toBe('delivered')
  })

  it('does not outlive a label that was taken away by more than five minutes', async () => {
    await target.createTopic(nameOf('leaving'), { [TRUST_LABEL]: acme })
    const { google } = identity
    if (!google) throw new Error('no identity')
    const as = { google, tenantUid: acme }
    const address = { host: '127.0.0.1', port: target.port }
    const client = await openClient({ projectId: PROJECT, network: testNetwork(), address, tls: null, as })
    const clock = new FakeClock()
    const trust = new TopicTrust(as, nameOf('leaving'), () => Promise.resolve(client), clock)
    expect(await trust.refusal()).toBeNull()
    await target.setLabels(nameOf('leaving'), {})
    expect(await trust.refusal()).toBeNull()
    clock.advance(5 * MINUTE)
    expect(await trust.refusal()).toMatchObject({ code: 'credentials_rejected' })
    await client.close()
  })

  it.each([
    ['may not look at the topic', { method: 'GetTopic', code: PERMISSION_DENIED }, 'credentials_rejected'],
    ['may not publish', { code: PERMISSION_DENIED }, 'credentials_rejected'],
    ['is not known to Pub/Sub', { code: UNAUTHENTICATED }, 'identity_failed'],
    ['finds Pub/Sub failing', { method: 'GetTopic', code: 13 }, 'target_failed'],
  ] as const)('says so when the service %s', async (_name, fault, code) => {
    await target.setFaults([{ ...fault, times: -1 }])
    expect(await sendBy(open('acmes', acme))).toMatchObject({ code })
  })

  it('says that the topic does not exist', async () => {
    expect(await sendBy(open('nowhere', acme))).toMatchObject({ code: 'target_not_found' })
  })

  it('waits for a token that cannot be had, asks for it once in five seconds, and goes on then', async () => {
    tokens.answerBy(() => ({ status: 400, body: '{"error":"invalid_grant"}' }))
    const clock = new FakeClock()
    const told: string[] = []
    const google = new GoogleIdentity({ source: federationFile() }, (reason) => told.push(reason), clock)
    const sender = open('acmes', acme, { identity: { aws: null, google } })
    const outcomes = [await sendBy(sender), await sendBy(sender), await sendBy(sender)]
    expect(outcomes.map(({ kind, code }) => [kind, code])).toEqual(
      outcomes.map(() => ['retryable', 'identity_failed']),
    )
    expect(tokens.received).toHaveLength(1)
    expect(told).toEqual([expect.stringContaining('invalid_grant')])
    expect(told.join()).not.toContain('token-of-the-cluster')
    tokens.answerBy(() => TOKEN)
    clock.advance(5_000)
    expect((await sendBy(sender)).kind).toBe('delivered')
  })

  it.each([
    ['is not there', null],
    ['is no JSON', 'account: barnabas'],
    ['is the credential of a user', '{"type":"authorized_user"}'],
  ])('waits for the operator when the credentials file %s', async (_name, content) => {
    const source = join(folder, `file-${newEventId()}.json`)
    if (content !== null) writeFileSync(source, content)
    const told: string[] = []
    const google = new GoogleIdentity({ source }, (reason) => told.push(reason))
    const sender = open('acmes', acme, { identity: { aws: null, google } })
    expect(await sendBy(sender)).toMatchObject({ kind: 'retryable', code: 'identity_failed' })
    expect(told).toHaveLength(1)
  })

  it('takes the account of the machine from the metadata server', async () => {
    const before = process.env['GCE_METADATA_HOST']
    process.env['GCE_METADATA_HOST'] = new URL(tokens.url()).host
    try {
      const google = new GoogleIdentity({ source: 'metadata' })
      const sender = open('acmes', acme, { identity: { aws: null, google } })
      expect((await sendBy(sender)).kind).toBe('delivered')
      expect(tokens.received.map(({ path, headers }) => [path, headers['metadata-flavor']])).toEqual([
        [expect.stringContaining('/computeMetadata/v1/instance/service-accounts/default/token'), 'Google'],
      ])
    } finally {
      if (before === undefined) delete process.env['GCE_METADATA_HOST']
      else process.env['GCE_METADATA_HOST'] = before
    }
  })

  it.each<[string, Partial<SenderTools>]>([
    ['the operator has not set one up', {}],
    ['the operator has one at another provider only', { identity: new OperatorIdentity(NOBODY) }],
  ])('sends nothing when %s', async (_name, more) => {
    expect(await sendBy(open('acmes', acme, more))).toMatchObject({
      kind: 'permanent',
      code: 'invalid_settings',
    })
    expect(tokens.received).toEqual([])
  })

  it('sends nothing for a tenant that is not known', async () => {
    const { tenantUid: _tenantUid, ...rest } = { ...testTools(), identity, tenantUid: acme }
    const valid = gcpPubsub.validate({
      config: { project_id: PROJECT, topic: 'acmes', authentication: 'workload_identity' },
      credentials: {},
    })
    if (!valid.ok) throw new Error('not valid')
    expect(await sendBy(gcpPubsub.open(valid.value, rest))).toMatchObject({ code: 'invalid_settings' })
  })
})
