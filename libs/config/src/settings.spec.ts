import { describe, expect, it } from '@jest/globals'
import {
  baseUrl,
  durations,
  flag,
  integer,
  keyRing,
  oneOf,
  optional,
  secret,
  statusCodes,
  text,
  url,
} from './fields.js'
import { documentSettings, printSettings, readSettings } from './settings.js'
import {
  checkKafkaLogin,
  defaultPolicy,
  kafkaSettings,
  policySettings,
  retrySettings,
} from './shared-settings.js'

const table = {
  API_PORT: integer({ min: 0, max: 65_535, default: 3333, about: 'Port.' }),
  RETRY_SCHEDULE: durations({ default: '5s,1m', minCount: 0, about: 'Schedule.' }),
  LEVEL: oneOf(['low', 'high'], { default: 'low', about: 'Level.' }),
  ON: flag({ default: false, about: 'Switch.' }),
  API_KEY: secret({ about: 'Key.' }),
  DATABASE_URL: optional(url(['postgres:'], { about: 'Database.' })),
  NAME: optional(text({ about: 'Name.' })),
}

describe('readSettings', () => {
  it('fills defaults in and converts units', () => {
    const read = readSettings(table, { API_KEY: 'k', RETRY_SCHEDULE: '500ms, 2h' })
    expect(read).toEqual({
      ok: true,
      settings: {
        API_PORT: 3333,
        RETRY_SCHEDULE: [500, 7_200_000],
        LEVEL: 'low',
        ON: false,
        API_KEY: 'k',
        DATABASE_URL: null,
        NAME: null,
      },
    })
  })

  it('reports every mistake together, each with the name, the value and what is expected', () => {
    const read = readSettings(table, {
      API_PORT: '70000',
      RETRY_SCHEDULE: '5 minutes',
      LEVEL: 'mid',
      ON: 'yes',
    })
    expect(read.ok).toBe(false)
    const problems = read.ok ? [] : read.problems
    expect(problems).toHaveLength(5)
    expect(problems[0]).toContain('API_PORT is "70000": give a whole number from 0 to 65535')
    expect(problems.join('\n')).toContain('API_KEY is not set')
  })

  it('never repeats the value of a secret', () => {
    const read = readSettings({ KEYS: keyRing({ about: 'Keys.' }) }, { KEYS: 'hunter2' })
    expect(JSON.stringify(read)).not.toContain('hunter2')
    expect(printSettings(table, { API_KEY: 'hunter2' })).toContain('API_KEY=(set)')
  })

  it('accepts a key ring only when each key has 32 bytes and a name of its own', () => {
    const key = Buffer.alloc(32, 7).toString('base64')
    const keys = { KEYS: keyRing({ about: 'Keys.' }) }
    expect(readSettings(keys, { KEYS: `a:${key},b:${key}` }).ok).toBe(true)
    expect(readSettings(keys, { KEYS: `a:${key},a:${key}` }).ok).toBe(false)
    expect(readSettings(keys, { KEYS: `a:${key.slice(4)}` }).ok).toBe(false)
  })

  it.each([
    ['', []],
    ['404', [{ from: 404, to: 404 }]],
    [
      '400-404, 422',
      [
        { from: 400, to: 404 },
        { from: 422, to: 422 },
      ],
    ],
    ['399', null],
    ['600', null],
    ['404-400', null],
    ['4xx', null],
  ])('reads the statuses "%s"', (raw, codes) => {
    const read = readSettings({ CODES: statusCodes({ about: 'Codes.' }) }, { CODES: raw })
    expect(read.ok ? read.settings.CODES : null).toEqual(codes)
  })

  it('makes one policy of the settings that say how deliveries are attempted', () => {
    const environment = { RETRY_SCHEDULE: '1s,2s', RETRY_JITTER: 'false', PERMANENT_STATUS_CODES: '404' }
    const read = readSettings({ ...policySettings, ...retrySettings }, environment)
    expect(read.ok && defaultPolicy(read.settings)).toEqual({
      retry: { kind: 'schedule', delaysMs: [1_000, 2_000], hasJitter: false },
      timeoutMs: 15_000,
      permanentStatusCodes: [{ from: 404, to: 404 }],
    })
  })

  it.each([
    ['https://events.example.com', 'https://events.example.com'],
    ['https://Events.Example.com:443/barnabas//', 'https://events.example.com/barnabas'],
    ['http://127.0.0.1:3333/', 'http://127.0.0.1:3333'],
    ['events.example.com', null],
    ['ftp://events.example.com', null],
    ['https://user:canary@events.example.com', null],
    ['https://events.example.com/?a=b', null],
    ['https://events.example.com/#a', null],
  ])('reads the base %s', (raw, base) => {
    const read = readSettings({ BASE: baseUrl({ about: 'Base.' }) }, { BASE: raw })
    expect(read.ok ? read.settings.BASE : null).toBe(base)
  })

  it('names all settings of a contradiction', () => {
    const environment = { KAFKA_BROKERS: 'k:9092', KAFKA_SASL_USERNAME: 'me' }
    const read = readSettings(kafkaSettings, environment, [checkKafkaLogin])
    expect(read.ok ? [] : read.problems).toEqual([
      expect.stringMatching(/KAFKA_SASL_MECHANISM.*KAFKA_SASL_USERNAME.*KAFKA_SASL_PASSWORD/),
    ])
  })

  it('documents each setting with its default', () => {
    expect(documentSettings(table)).toContain(
      '| `API_PORT` | a whole number from 0 to 65535 | `3333` | Port. |',
    )
  })
})
