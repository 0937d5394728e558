import { describe, expect, it } from '@jest/globals'
import { ok } from '@barnabas/domain'
import { findDriver } from '../registry.js'

const ROLE = 'arn:aws:iam::123456789012:role/teams/events-sender'
const KEYS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'secret' }

const CONFIGS = [
  ['aws_eventbridge', { region: 'us-east-1' }],
  ['aws_kinesis', { region: 'us-east-1', stream_name: 'events' }],
  ['aws_s3', { region: 'us-east-1', bucket: 'events' }],
  ['aws_sns', { topic_arn: 'arn:aws:sns:us-east-1:123456789012:events' }],
  ['aws_sqs', { queue_url: 'https://sqs.us-east-1.amazonaws.com/123456789012/events' }],
] as const

describe.each(CONFIGS)('access to AWS of %s', (type, config) => {
  const driver = findDriver(type)
  const validate = (role_arn: string, credentials: Record<string, string>) =>
    driver?.validate({ config: { ...config, role_arn }, credentials })
  const problemsOf = (role_arn: string, credentials: Record<string, string>): string[] => {
    const valid = validate(role_arn, credentials)
    return valid?.ok === false ? valid.failure.map(({ path, message }) => `${path} ${message}`) : []
  }

  it('is by keys, both of them, or by a role', () => {
    expect(problemsOf('', KEYS)).toEqual([])
    expect(problemsOf('', { ...KEYS, session: 'token' })).toEqual([])
    expect(problemsOf(ROLE, { key: '', secret: '' })).toEqual([])
    expect(problemsOf('', {})).toEqual([
      'credentials.key is required without config.role_arn',
      'credentials.secret is required without config.role_arn',
    ])
    expect(problemsOf('', { session: 'token', key: KEYS.key })).toEqual([
      'credentials.secret is required without config.role_arn',
    ])
  })

  it('is not by both', () => {
    expect(problemsOf(ROLE, { ...KEYS, session: 'token' })).toEqual([
      'credentials.key must be empty when config.role_arn is given; "" clears it',
      'credentials.secret must be empty when config.role_arn is given; "" clears it',
      'credentials.session must be empty when config.role_arn is given; "" clears it',
    ])
  })

  it.each([
    'arn:aws:iam::123456789012:user/somebody',
    'arn:aws:sts::123456789012:assumed-role/a/b',
    'arn:aws:iam::1:role/a',
    'arn:aws:iam::123456789012:role/',
    'arn:aws:iam::123456789012:role/a b',
    'arn:aws:iam::123456789012:role/a\r\nb',
    'events-sender',
  ])('takes no role such as %j', (role) => {
    expect(problemsOf(role, {})).toEqual([
      'config.role_arn must be the ARN of a role such as arn:aws:iam::123456789012:role/events-sender',
    ])
  })

  it.each([ROLE, 'arn:aws-cn:iam::123456789012:role/a', 'arn:aws-us-gov:iam::123456789012:role/+=,.@_-'])(
    'needs this service at AWS for the role %s, and for keys nothing of it',
    (role) => {
      const [byRole, byKeys] = [validate(role, {}), validate('', KEYS)]
      if (!byRole?.ok || !byKeys?.ok) throw new Error('not valid')
      expect(driver?.identity(byRole.value)).toEqual({ provider: 'aws', path: 'config.role_arn' })
      expect(driver?.identity(byKeys.value)).toBeNull()
    },
  )

  it('changes from keys to a role when the keys are cleared', () => {
    const change = { current: KEYS, given: { key: '', secret: '' }, config: {}, nowMs: 0 }
    const changed = driver?.changeCredentials(change)
    if (!changed?.ok) throw new Error('not changed')
    const valid = driver?.validate({
      config: { ...config, role_arn: ROLE },
      credentials: changed.value.credentials,
    })
    expect(valid).toEqual(ok(expect.objectContaining({ credentials: {} })))
  })
})
