import { afterAll, beforeAll } from '@jest/globals'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { throwawayFolder } from '@barnabas/tools'
import { awsEventbridge } from './aws-eventbridge/aws-eventbridge.driver.js'
import { awsKinesis } from './aws-kinesis/aws-kinesis.driver.js'
import { awsS3 } from './aws-s3/aws-s3.driver.js'
import { awsSns } from './aws-sns/aws-sns.driver.js'
import { awsSqs } from './aws-sqs/aws-sqs.driver.js'
import { assumeWithToken } from './aws/aws-sts.js'
import { outcomeOfIdentityError } from './aws/sts-outcome.js'
import type { Driver, RawSettings, SenderTools, Verification } from './driver.js'
import { hookdeck } from './hookdeck/hookdeck.driver.js'
import { HttpTarget } from './http/http-target.js'
import { TokenSource } from './http/oauth2-token.js'
import { GoogleIdentity } from './identity/google-identity.js'
import { SchemaRegistry } from './kafka/kafka.registry.js'
import { unlessAborted } from './outcomes.js'
import { pagerduty } from './pagerduty/pagerduty.driver.js'
import { slack } from './slack/slack.driver.js'
import { sms } from './sms/sms.driver.js'
import { describeAnswerLimits, type AnswerReader, type Ended } from './testing/describe-answer-limits.js'
import { openSender } from './testing/open-sender.js'
import { anOutgoing } from './testing/test-senders.js'
import { testNetwork, testTools } from './testing/test-tools.js'
import { webhook } from './webhook/webhook.driver.js'

const KEYS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
/** The library asks three times. */
const GOOGLE_LIMIT_MS = 1_000
const REGION = 'us-east-1'
const HOOKDECK_TOKEN = Buffer.from('src_1:a secret').toString('base64')

/** Sends one event by a sender of its own. */
async function sendTo(
  driver: Driver,
  settings: RawSettings,
  signal: AbortSignal,
  tools?: SenderTools,
): Promise<Ended> {
  const sender = openSender(driver, settings, tools)
  try {
    const { code } = await sender.send(anOutgoing(), { number: 1, deliveryId: 'dlv_1' }, signal)
    return code
  } finally {
    await sender.close()
  }
}

/** A status of success is all that is looked for. */
const BY_STATUS = { unreadable: 'http_200', late: 'http_200', failure: 'http_503' } as const
/** The body says what became of the event. */
const BY_BODY = { unreadable: 'protocol_error', late: 'timeout', failure: 'target_failed' } as const
/** Whoever waits for a request to AWS leaves it. Node tells a body that is not valid as one that broke off. */
const BY_SDK = {
  ...BY_BODY,
  lateFailure: 'timeout',
  broken: 'connection_reset',
} as const
/** It is the operator who is told why. */
const IDENTITY = {
  unreadable: 'identity_failed',
  late: 'identity_failed',
  failure: 'identity_failed',
  unanswered: 'identity_failed',
  invalid: 'identity_failed',
} as const

const toVendor = (driver: Driver, settings: RawSettings): AnswerReader => ({
  ask: (url, signal) => sendTo(driver, settings, signal, testTools({ [driver.type]: url })),
  ...BY_STATUS,
})

const toAws = (driver: Driver, configAt: (endpoint: string) => RawSettings['config']): AnswerReader => ({
  ask: (url, signal) => sendTo(driver, { config: configAt(url), credentials: KEYS }, signal),
  ...BY_SDK,
})

const endedOf = (verification: Verification): Ended => {
  if (verification.kind === 'verified') return 'delivered'
  return verification.kind === 'refused' ? 'event_refused' : 'target_failed'
}

describeAnswerLimits('webhook', {
  ask: (url, signal) => sendTo(webhook, { config: { url }, credentials: {} }, signal),
  ...BY_STATUS,
})
describeAnswerLimits('hookdeck', toVendor(hookdeck, { config: {}, credentials: { token: HOOKDECK_TOKEN } }))
describeAnswerLimits(
  'slack',
  toVendor(slack, {
    config: {},
    credentials: { webhook_url: 'https://hooks.slack.com/services/T0001/B0001/abcdefghijklmnopqrstuvwx' },
  }),
)
describeAnswerLimits(
  'sms',
  toVendor(sms, {
    config: { account_sid: `AC${'0'.repeat(32)}`, to: '+4915112345678', from: '+15005550006' },
    credentials: { auth_token: 'a-token' },
  }),
)
describeAnswerLimits(
  'pagerduty',
  toVendor(pagerduty, { config: {}, credentials: { routing_key: 'a'.repeat(32) } }),
)

describeAnswerLimits(
  'aws_sqs',
  toAws(awsSqs, (url) => ({ queue_url: `${url}/123456789012/events` })),
)
describeAnswerLimits(
  'aws_sns',
  toAws(awsSns, (endpoint) => ({ topic_arn: `arn:aws:sns:${REGION}:123456789012:events`, endpoint })),
)
describeAnswerLimits(
  'aws_eventbridge',
  toAws(awsEventbridge, (endpoint) => ({ region: REGION, event_bus_name: 'events', endpoint })),
)
describeAnswerLimits(
  'aws_kinesis',
  toAws(awsKinesis, (endpoint) => ({ region: REGION, stream_name: 'events', endpoint })),
)
describeAnswerLimits('aws_s3', {
  ...toAws(awsS3, (endpoint) => ({ bucket: 'my-events-1', region: REGION, endpoint })),
  unreadable: 'accepted',
  late: 'accepted',
  broken: 'accepted',
})

describeAnswerLimits('the token service of AWS', {
  ask: async (url, signal) => {
    const role = { roleArn: 'arn:aws:iam::123456789012:role/events', sessionName: 'barnabas', region: REGION }
    const judge = (error: unknown) => outcomeOfIdentityError(error, Date.now())
    const tools = testTools({ aws_sts: url })
    const session = await unlessAborted(assumeWithToken(role, 'a token', { tools, judge }), signal)
    if ('kind' in session) return session.code
    return session.ok ? 'delivered' : session.failure.code
  },
  ...BY_SDK,
})

describeAnswerLimits('a token URL', {
  ask: async (url, _signal, limitMs) => {
    const client = { clientId: 'a', clientSecret: 'b', sentIn: 'basic' } as const
    const source = new TokenSource(new HttpTarget(url, testNetwork()), client, limitMs)
    const token = await source.token()
    await source.close()
    return token.ok ? 'delivered' : token.failure.code
  },
  ...BY_BODY,
})

describeAnswerLimits('the token URL of a webhook', {
  ask: (url, signal) =>
    sendTo(
      webhook,
      {
        config: { url: 'http://127.0.0.1:1/', auth: 'oauth2', token_url: url, client_id: 'a' },
        credentials: { client_secret: 'b' },
      },
      signal,
    ),
  ...BY_BODY,
  // Whoever waits for a token leaves it.
  lateFailure: 'timeout',
})

describeAnswerLimits('a schema registry', {
  ask: async (url, _signal, limitMs) => {
    const settings = { url, subject: 'events-value', login: undefined }
    const registry = new SchemaRegistry(settings, testNetwork(), Date.now, limitMs)
    const encoded = await registry.encode(Buffer.from('{}'))
    await registry.close()
    return encoded.ok ? 'delivered' : encoded.failure.code
  },
  ...BY_BODY,
  large: 'invalid_settings',
  broken: 'connection_reset',
})

describeAnswerLimits('the verification of a webhook', {
  ask: async (url, signal) => {
    const settings = { config: { url, verify_endpoint: 'cloudevents' }, credentials: {} }
    const { credentials } = webhook.completeCredentials(settings.credentials, settings.config)
    const valid = webhook.validate({ ...settings, credentials })
    if (!valid.ok || !webhook.verification) throw new Error('not valid')
    return endedOf(
      await webhook.verification.ask(valid.value, { network: testNetwork(), endpoints: new Map() }, signal),
    )
  },
  // A status alone is no consent.
  unreadable: 'event_refused',
  late: 'event_refused',
  failure: 'event_refused',
  unanswered: 'target_failed',
  invalid: 'target_failed',
})

describeAnswerLimits("the verification of a source of Hookdeck's", {
  ask: async (url, signal) => {
    const valid = hookdeck.validate({ config: {}, credentials: { token: HOOKDECK_TOKEN } })
    if (!valid.ok || !hookdeck.verification) throw new Error('not valid')
    return endedOf(await hookdeck.verification.ask(valid.value, testTools({ hookdeck_api: url }), signal))
  },
  unreadable: 'target_failed',
  late: 'target_failed',
  failure: 'target_failed',
  unanswered: 'target_failed',
  invalid: 'target_failed',
})

const folder = throwawayFolder('google-identity')
beforeAll(() => writeFileSync(join(folder, 'subject-token'), 'token-of-the-cluster'))
afterAll(() => rmSync(folder, { recursive: true }))

describeAnswerLimits("the exchange of Google's tokens", {
  ask: async (url, signal, limitMs) => {
    const source = join(folder, `${new URL(url).port}.json`)
    writeFileSync(
      source,
      JSON.stringify({
        type: 'external_account',
        audience:
          '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/oidc',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${url}/v1/token`,
        credential_source: { file: join(folder, 'subject-token') },
      }),
    )
    const hasToken = await unlessAborted(
      new GoogleIdentity({ source }, undefined, undefined, Math.min(limitMs, GOOGLE_LIMIT_MS)).hasToken(),
      signal,
    )
    return hasToken === true ? 'delivered' : 'identity_failed'
  },
  ...IDENTITY,
  // Time is what bounds informational answers here: the connections are the library's.
  maxTakenBytes: Infinity,
})
