import { failed, ok, type DestinationUid, type DisabledReason, type Result } from '@barnabas/domain'
import { decodeSignal, type LogRecord } from '@barnabas/kafka'

/** What a signal asks for: the destination is disabled, unless it was enabled again since. */
export interface DisableRequest {
  readonly destinationUid: DestinationUid
  readonly enableEpoch: number
  readonly reason: DisabledReason
  readonly atIso: string
  readonly detail: string
}

/** `unknown_version` and `unknown_kind`: a newer release wrote it. */
export interface Skipped {
  readonly reason: 'unknown_version' | 'unknown_kind' | 'unreadable'
  readonly detail: string
}

/** By kind of signal. */
const REASONS: ReadonlyMap<unknown, DisabledReason> = new Map([
  ['gone', 'gone'],
  ['failing', 'consecutive_failures'],
])

/** The last moment that JavaScript knows (ECMA-262, "Time Values and Time Range"). */
const MAX_TIME_MS = 8.64e15

/** Of a kind that is not known, in a log line. */
const MAX_SHOWN_CHARACTERS = 100

/** Reads a signal whatever it holds; what this release cannot act on is a failure. */
export function readSignal(record: LogRecord): Result<DisableRequest, Skipped> {
  const read = decodeSignal(record)
  if (!read.ok) {
    const reason = read.failure.reason === 'unknown-version' ? 'unknown_version' : 'unreadable'
    return failed({ reason, detail: read.failure.detail })
  }
  const signal: unknown = read.value
  if (!isObject(signal)) return failed({ reason: 'unreadable', detail: 'holds no signal' })
  const { kind, destinationUid, enableEpoch, raisedAtMs, detail } = signal
  const reason = REASONS.get(kind)
  if (!reason)
    return failed({
      reason: 'unknown_kind',
      detail: `is of the kind ${JSON.stringify(kind)?.slice(0, MAX_SHOWN_CHARACTERS)}`,
    })
  // PostgreSQL would refuse any of these each time anew.
  if (!isUid(destinationUid) || !isCount(enableEpoch) || !isCount(raisedAtMs) || raisedAtMs > MAX_TIME_MS)
    return failed({ reason: 'unreadable', detail: 'names no destination, epoch or time' })
  const atIso = new Date(raisedAtMs).toISOString()
  return ok({ destinationUid, enableEpoch, reason, atIso, detail: typeof detail === 'string' ? detail : '' })
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const isUid = (value: unknown): value is DestinationUid =>
  typeof value === 'string' && value !== '' && !value.includes('\0')

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
