import { describe, expect, it } from '@jest/globals'
import { readCallback, readConsent } from './webhook.handshake.js'

const ORIGIN = 'events.example.com'
const consent = (
  status: number,
  headers: Record<string, string>,
  { isRateAsked = false, hasCallback = false } = {},
) => readConsent({ status, headers }, { origin: ORIGIN, isRateAsked, hasCallback })

describe('readConsent', () => {
  it.each<[string, number, Record<string, string>, number | null]>([
    ['the origin', 200, { 'webhook-allowed-origin': ORIGIN }, null],
    ['the origin in capitals', 204, { 'webhook-allowed-origin': 'Events.Example.COM' }, null],
    ['every origin', 200, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' }, null],
    [
      'a rate that nobody asked for',
      200,
      { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '60' },
      60,
    ],
  ])('takes %s as consent', (_name, status, headers, ratePerMinute) => {
    expect(consent(status, headers)).toEqual({ kind: 'verified', ratePerMinute })
  })

  it.each<[string, number, Record<string, string>]>([
    ['a status alone', 200, {}],
    ['another origin', 200, { 'webhook-allowed-origin': 'example.com' }],
    ['an empty origin', 200, { 'webhook-allowed-origin': '' }],
    ['a redirect', 302, { 'webhook-allowed-origin': '*', location: '/' }],
    ['a failure', 500, { 'webhook-allowed-origin': '*' }],
    ['no rate', 200, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '0' }],
    ['a rate that is no number', 200, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': 'many' }],
  ])('takes %s as none', (_name, status, headers) => {
    expect(consent(status, headers)).toMatchObject({ kind: 'refused', path: 'config.url' })
  })

  it('wants a rate when it asked for one', () => {
    const asked = { isRateAsked: true }
    expect(consent(200, { 'webhook-allowed-origin': '*' }, asked).kind).toBe('refused')
    expect(consent(200, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' }, asked).kind).toBe(
      'verified',
    )
  })

  it.each<[string, number, Record<string, string>, string]>([
    ['a good status alone', 202, {}, 'awaited'],
    ['consent at once', 200, { 'webhook-allowed-origin': '*' }, 'verified'],
    ['another origin', 200, { 'webhook-allowed-origin': 'example.com' }, 'refused'],
    ['a failure', 405, {}, 'refused'],
  ])('that offered a callback takes %s for what it is', (_name, status, headers, kind) => {
    expect(consent(status, headers, { hasCallback: true }).kind).toBe(kind)
  })
})

describe('readCallback', () => {
  const read = (headers: Record<string, string | string[]>, request_rate?: string) =>
    readCallback({ config: { request_rate } as Parameters<typeof readCallback>[0]['config'] }, headers, {
      origin: ORIGIN,
    })

  it.each<[string, Record<string, string>, string | undefined, number | null]>([
    ['a call alone', {}, undefined, null],
    ['a call alone, at the rate that was asked for', {}, '120', 120],
    ['a rate', { 'webhook-allowed-rate': ' 60 ' }, '120', 60],
    ['any rate', { 'webhook-allowed-rate': '*' }, '120', null],
    ['the origin', { 'webhook-allowed-origin': 'Events.Example.COM' }, undefined, null],
    ['every origin', { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '1' }, undefined, 1],
  ])('takes %s as consent', (_name, headers, requested, ratePerMinute) => {
    expect(read(headers, requested)).toEqual({ ok: true, value: { ratePerMinute } })
  })

  it.each(['0', '-1', '1.5', '060', '1e3', 'many', '', '60, 90', '1000000000'])(
    'says what a rate is instead of "%s"',
    (rate) => {
      expect(read({ 'webhook-allowed-rate': rate })).toEqual({
        ok: false,
        failure:
          'WebHook-Allowed-Rate must be a whole number of requests per minute from 1 to 999999999, or *',
      })
    },
  )

  it.each<[string, string | string[]]>([
    ['another', 'example.com'],
    ['an empty one', ''],
    ['several', [ORIGIN, '*']],
  ])('is not for an origin that is %s', (_name, origin) => {
    expect(read({ 'webhook-allowed-origin': origin })).toEqual({
      ok: false,
      failure: `WebHook-Allowed-Origin must be ${ORIGIN} or *`,
    })
  })
})
