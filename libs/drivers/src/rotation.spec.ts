import { describe, expect, it } from '@jest/globals'
import { changeCredentials, completeCredentials, MASK, showCredentials } from './credentials.js'
import { generatedSecret, text } from './fields.js'
import { checkRotation, liveSecrets, rotationFields } from './rotation.js'

const NOW_MS = Date.parse('2026-01-15T10:00:00.000Z')
const IN_AN_HOUR = '2026-01-15T11:00:00.000Z'
const AN_HOUR_AGO = '2026-01-15T09:00:00.000Z'
const TOMORROW = '2026-01-16T10:00:00.000Z'

let made = 0
const words = { label: 'l', description: 'd' }
const rules = {
  credentials: {
    secret: generatedSecret({ ...words, check: () => null }),
    ...rotationFields(() => null),
    token: text({ ...words, required: false, sensitive: true }),
  },
  makeSecret: () => `made-${++made}`,
  derived: { public_key: ({ secret }: Readonly<Record<string, string>>) => `public of ${secret ?? ''}` },
}

const changed = (current: Record<string, string>, given: Record<string, unknown>) => {
  const read = changeCredentials(rules, { current, given, config: {}, nowMs: NOW_MS })
  return read.ok ? read.value : read.failure
}

const during = { secret: 'new', previous_secret: 'old', previous_secret_invalid_at: IN_AN_HOUR }

describe('a rotation', () => {
  it('makes a secret and keeps the current one for a day', () => {
    expect(changed({ secret: 'a', token: 't' }, { rotate_secret: true })).toEqual({
      credentials: {
        secret: `made-${made}`,
        previous_secret: 'a',
        previous_secret_invalid_at: TOMORROW,
        token: 't',
      },
      generated: ['secret'],
    })
  })

  it.each([true, 'true'])('is asked for by %j', (asked) => {
    expect(changed({ secret: 'a' }, { rotate_secret: asked })).toMatchObject({ generated: ['secret'] })
  })

  it.each([false, 'false', null, ''])('is not asked for by %j', (asked) => {
    expect(changed({ secret: 'a' }, { rotate_secret: asked })).toEqual({
      credentials: { secret: 'a' },
      generated: [],
    })
  })

  it('takes the secret that it is given, and the time', () => {
    expect(
      changed({ secret: 'a' }, { rotate_secret: true, secret: 'b', previous_secret_invalid_at: IN_AN_HOUR }),
    ).toEqual({
      credentials: { secret: 'b', previous_secret: 'a', previous_secret_invalid_at: IN_AN_HOUR },
      generated: [],
    })
  })

  it.each([null, AN_HOUR_AGO, new Date(NOW_MS).toISOString()])(
    'ends the current secret at once when its time is %j',
    (at) => {
      expect(
        changed({ secret: 'a' }, { rotate_secret: true, secret: 'b', previous_secret_invalid_at: at }),
      ).toEqual({
        credentials: { secret: 'b' },
        generated: [],
      })
    },
  )

  it('keeps one old secret: a second rotation ends the one before', () => {
    expect(changed(during, { rotate_secret: true, secret: 'newer' })).toEqual({
      credentials: { secret: 'newer', previous_secret: 'new', previous_secret_invalid_at: TOMORROW },
      generated: [],
    })
  })

  it.each([
    [{ rotate_secret: 'yes' }, 'credentials.rotate_secret'],
    [{ rotate_secret: true, previous_secret: 'x' }, 'credentials.previous_secret'],
  ])('refuses %j', (given, path) => {
    expect(changed({ secret: 'a' }, given)).toMatchObject([{ path }])
  })
})

describe('an old secret', () => {
  it.each([
    [{ previous_secret_invalid_at: null }],
    [{ previous_secret_invalid_at: AN_HOUR_AGO }],
    [{ previous_secret: null }],
  ])('is revoked by %j', (given) => {
    expect(changed(during, given)).toEqual({ credentials: { secret: 'new' }, generated: [] })
  })

  it('can be given more time, up to 30 days', () => {
    expect(changed(during, { previous_secret_invalid_at: TOMORROW })).toMatchObject({
      credentials: { ...during, previous_secret_invalid_at: TOMORROW },
    })
    const at = (days: number) => new Date(NOW_MS + days * 86_400_000).toISOString()
    const check = (days: number) => checkRotation({ ...during, previous_secret_invalid_at: at(days) }, NOW_MS)
    expect([check(30), check(30.1).map(({ path }) => path)]).toEqual([
      [],
      ['credentials.previous_secret_invalid_at'],
    ])
  })

  it('has a time, and a time has an old secret', () => {
    const paths = (credentials: object) =>
      checkRotation({ secret: 'a', ...credentials }, NOW_MS).map(({ path }) => path)
    expect(paths({ previous_secret: 'x' })).toEqual(['credentials.previous_secret_invalid_at'])
    expect(paths({ previous_secret_invalid_at: TOMORROW })).toEqual([
      'credentials.previous_secret_invalid_at',
    ])
    expect(paths({})).toEqual([])
  })

  it('is used until its time and no longer', () => {
    expect(liveSecrets(during)).toEqual([
      { secret: 'new', untilMs: Infinity },
      { secret: 'old', untilMs: Date.parse(IN_AN_HOUR) },
    ])
    expect(liveSecrets({ secret: 'new' })).toEqual([{ secret: 'new', untilMs: Infinity }])
  })
})

describe('credentials that go back and forth', () => {
  it('are shown masked, with what follows from them, without an old secret whose time is over', () => {
    expect(showCredentials(rules, during, NOW_MS)).toEqual({
      secret: MASK,
      previous_secret: MASK,
      previous_secret_invalid_at: IN_AN_HOUR,
      public_key: 'public of new',
    })
    expect(showCredentials(rules, during, Date.parse(IN_AN_HOUR))).toEqual({
      secret: MASK,
      public_key: 'public of new',
    })
  })

  it('change nothing when they come back as they were shown', () => {
    expect(changed(during, showCredentials(rules, during, NOW_MS))).toEqual({
      credentials: during,
      generated: [],
    })
  })

  it('are completed with a secret only when none was given', () => {
    expect(completeCredentials(rules, { secret: 'mine', public_key: 'x' }, {})).toEqual({
      credentials: { secret: 'mine' },
      generated: [],
    })
    expect(completeCredentials(rules, {}, {})).toEqual({
      credentials: { secret: `made-${made}` },
      generated: ['secret'],
    })
  })

  it('of types without a secret of ours are left as they are', () => {
    const others = { credentials: rules.credentials }
    const change = { current: { key: 'a' }, given: { key: MASK, other: 'b' }, config: {}, nowMs: NOW_MS }
    expect(changeCredentials(others, change)).toEqual({
      ok: true,
      value: { credentials: { key: 'a', other: 'b' }, generated: [] },
    })
    const rotating = { ...change, given: { rotate_secret: true } }
    expect(changeCredentials(others, rotating)).toMatchObject({
      value: { credentials: { rotate_secret: true } },
    })
  })
})
