import { describe, expect, it } from '@jest/globals'
import { MASK } from './credentials.js'
import type { CatalogueField } from './driver.js'
import { drivers, findDriver } from './registry.js'

type Half = 'config' | 'credentials'

interface Place {
  readonly type: string
  readonly half: Half
  readonly field: CatalogueField
}

const places: readonly Place[] = drivers.flatMap(({ type, catalogue }) => [
  ...catalogue.config_fields.map((field) => ({ type, half: 'config' as const, field })),
  ...catalogue.credential_fields.map((field) => ({ type, half: 'credentials' as const, field })),
])

/** What is said of one field when it has this value, and nothing else is given. */
function said(
  { type, half, field }: Pick<Place, 'type' | 'half'> & { field: { key: string } },
  value: unknown,
) {
  const settings = { config: {}, credentials: {}, [half]: { [field.key]: value } }
  const read = findDriver(type)?.validate(settings)
  const problems = read?.ok === false ? read.failure : []
  return problems.find(({ path }) => path === `${half}.${field.key}`)?.message ?? null
}

/** The places at which something else is said. */
const others = (value: unknown, expected: string, among: readonly Place[] = places): string[] =>
  among
    .map((place) => [`${place.type} ${place.half}.${place.field.key}`, said(place, value)] as const)
    .filter(([, message]) => message !== expected)
    .map(([path, message]) => `${path}: ${message}`)

describe('the fields of every destination type', () => {
  it('have patterns that browsers can read', () => {
    // Browsers read HTML's `pattern` with the flag v. It refuses [a-z-] and [/], and a form then checks nothing: sixteen
    // patterns were lost so.
    const unreadable = places.flatMap(({ type, field: { key, pattern = '' } }) =>
      ['', 'u', 'v'].flatMap((flag) => {
        try {
          new RegExp(pattern, flag)
          return []
        } catch {
          return [`${type} ${key} ${flag}`]
        }
      }),
    )
    expect(unreadable).toEqual([])
  })

  it('have defaults that they accept', () => {
    const refused = places.filter(
      (place) => place.field.default !== undefined && said(place, place.field.default) !== null,
    )
    expect(refused).toEqual([])
  })

  it.each([7, true])('say of %j that it is no string, without showing it', (value) => {
    expect(others(value, 'must be a string, in double quotes')).toEqual([])
  })

  it.each([[['x']], [{ name: 'value' }]])('say of %j how JSON is given', (value) => {
    expect(others(value, 'must be a string; give JSON as text, such as "{\\"name\\":\\"value\\"}"')).toEqual(
      [],
    )
  })

  it('refuse half a character, which would reach the target as another one', () => {
    expect(others('a\ud800b', 'must be Unicode text, without halves of characters')).toEqual([])
  })

  it('refuse the mask of a secret as the secret', () => {
    // A destination that was made from what another one shows had "********" as its password, and failed at its first event.
    const secrets = places.filter(({ field }) => field.sensitive)
    expect(secrets.length).toBeGreaterThan(drivers.length)
    expect(others(MASK, 'is the mask of a secret; give the secret itself', secrets)).toEqual([])
  })

  it('refuse white space alone, in names and in secrets', () => {
    // It was accepted as the name of an exchange, as a user and as a password.
    expect(places.filter((place) => said(place, '   ') === null)).toEqual([])
  })

  it('refuse white space around names, where nobody sees it', () => {
    const names = places.filter(
      ({ field: { type, sensitive, key, pattern } }) =>
        type === 'text' && !sensitive && !key.endsWith('_template') && pattern !== '^(?:[^]*)$',
    )
    expect(others(' x', 'must not begin or end with white space', names)).toEqual([])
    expect(others('x ', 'must not begin or end with white space', names)).toEqual([])
  })

  it('leave a password the white space that it begins and ends with', () => {
    const password = { type: 'rabbitmq', half: 'credentials' as const, field: { key: 'password' } }
    expect(said(password, ' correct horse ')).toBeNull()
  })

  it('name the half that a field belongs to', () => {
    const message = (type: string, half: Half, key: string) => said({ type, half, field: { key } }, 'x')
    expect(message('kafka', 'config', 'password')).toBe('is a field of credentials')
    expect(message('kafka', 'credentials', 'topic')).toBe('is a field of config')
    expect(message('kafka', 'config', 'constructor')).toBe('is not a known field')
  })
})

describe('fields that exclude or need each other', () => {
  const problemsOf = (type: string, config: object, credentials: object) => {
    const read = findDriver(type)?.validate({ config: { ...config }, credentials: { ...credentials } })
    return read?.ok === false ? read.failure.map(({ path, message }) => `${path} ${message}`) : []
  }
  const SMS = { account_sid: `AC${'0'.repeat(32)}`, to: '+4915112345678' }
  const SERVICE = { messaging_service_sid: `MG${'0'.repeat(32)}` }
  const MAIL = { server: 'smtp.example.com:587', from: 'a@example.com', to: 'b@example.com' }
  const SERVER = { server_url: 'target.example.com:4222' }
  const KAFKA = { brokers: 'target.example.com:9092', topic: 'events', sasl_mechanism: 'plain' }
  const SQS = { queue_url: 'https://sqs.us-east-1.amazonaws.com/123456789012/events' }

  it.each<[string, object, object, string[]]>([
    ['aws_sqs', SQS, { key: 'k' }, ['credentials.secret is required without config.role_arn']],
    ['email', MAIL, { username: 'u' }, ['credentials.password is required with credentials.username']],
    ['email', MAIL, { password: 'p' }, ['credentials.username is required with credentials.password']],
    [
      'redis_stream',
      SERVER,
      { username: 'u' },
      ['credentials.password is required with credentials.username'],
    ],
    ['nats', SERVER, { password: 'p' }, ['credentials.username is required with credentials.password']],
    [
      'nats',
      SERVER,
      { username: 'u', password: 'p', token: 't' },
      ['credentials.token must not be given together with credentials.username; "" clears either'],
    ],
    [
      'kafka',
      KAFKA,
      { username: 'u' },
      ['credentials.password is required when config.sasl_mechanism is plain'],
    ],
    ['sms', SMS, { auth_token: 't' }, ['config.from is required without config.messaging_service_sid']],
    [
      'sms',
      { ...SMS, ...SERVICE, from: '+4915112345678' },
      { auth_token: 't' },
      ['config.from must not be given together with config.messaging_service_sid; "" clears either'],
    ],
    ['sms', { ...SMS, ...SERVICE }, { auth_token: 't' }, []],
  ])('%s with %j and %j', (type, config, credentials, expected) => {
    expect(problemsOf(type, config, credentials)).toEqual(expected)
  })
})
