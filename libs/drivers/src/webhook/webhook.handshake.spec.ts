import { describe, expect, it } from '@jest/globals'
import { readConsent } from './webhook.handshake.js'

const ORIGIN = 'events.example.com'
const consent = (status: number, headers: Record<string, string>, isRateAsked = false) =>
  readConsent({ status, headers }, { origin: ORIGIN, isRateAsked })

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
    expect(consent(200, { 'webhook-allowed-origin': '*' }, true).kind).toBe('refused')
    expect(consent(200, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' }, true).kind).toBe(
      'verified',
    )
  })
})
