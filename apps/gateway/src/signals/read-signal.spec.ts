import { describe, expect, it } from '@jest/globals'
import { newDestinationUid, newTenantUid, type Signal } from '@barnabas/domain'
import { encodeSignal, META_HEADER, type LogRecord } from '@barnabas/kafka'
import { readSignal } from './read-signal.js'

const signal: Signal = {
  kind: 'gone',
  tenantUid: newTenantUid(),
  destinationUid: newDestinationUid(),
  enableEpoch: 3,
  detail: 'The target is gone.',
  raisedAtMs: Date.parse('2026-01-15T10:00:00Z'),
}

const record = (headers: Record<string, string | Buffer>): LogRecord => ({
  kafkaTopic: 'signals',
  partition: 0,
  offset: 0,
  key: null,
  value: null,
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, header]) => [name, Buffer.from(String(header))]),
  ),
  timestampMs: 0,
})

const read = (changes: object) => readSignal(record(encodeSignal({ ...signal, ...changes }).headers))
const skipped = (reason: string) => ({ ok: false, failure: expect.objectContaining({ reason }) as unknown })

describe('a signal', () => {
  it.each([
    ['gone', 'gone'],
    ['failing', 'consecutive_failures'],
  ])('of the kind %s disables with the reason %s', (kind, reason) => {
    const { destinationUid, enableEpoch, detail } = signal
    const atIso = '2026-01-15T10:00:00.000Z'
    expect(read({ kind })).toEqual({
      ok: true,
      value: { destinationUid, enableEpoch, detail, reason, atIso },
    })
  })

  it.each(['paused', 'constructor', '', null, undefined, { toString: 'gone' }])(
    'of a kind that this release does not know is skipped: %j',
    (kind) => {
      expect(read({ kind })).toEqual(skipped('unknown_kind'))
    },
  )

  it.each([
    { destinationUid: null },
    { destinationUid: '' },
    { destinationUid: 'des_\0' },
    { enableEpoch: 'first' },
    { enableEpoch: 1.5 },
    { raisedAtMs: null },
    { raisedAtMs: 8.65e15 },
    { raisedAtMs: -1 },
  ])('with a member that nothing can be done with is skipped: %j', (changes) => {
    expect(read(changes)).toEqual(skipped('unreadable'))
  })

  it('that is no signal, or of a newer version, is skipped', () => {
    expect(readSignal(record({}))).toEqual(skipped('unreadable'))
    expect(readSignal(record({ [META_HEADER]: '{"v":1}' }))).toEqual(skipped('unreadable'))
    expect(readSignal(record({ [META_HEADER]: '{"v":1,"signal":null}' }))).toEqual(skipped('unreadable'))
    expect(readSignal(record({ [META_HEADER]: '{"v":2}' }))).toEqual(skipped('unknown_version'))
  })
})
