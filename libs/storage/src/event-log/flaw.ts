import type { LogItem } from './record-batch.js'

/** Days are written with four digits of the year; a time beyond is a mistake of whoever wrote it. */
const MAX_TIME_MS = Date.UTC(9999, 11, 31)

const ATTEMPT_TEXTS = [
  'id', 'deliveryId', 'run', 'eventId', 'topic', 'tenantId', 'tenantUid', 'destinationId', 'destinationUid',
  'destinationType', 'outcome', 'code', 'detail', 'decision',
] // prettier-ignore
const ATTEMPT_TIMES = ['acceptedAtMs', 'startedAtMs']

/**
 * What makes a record that could be decoded impossible to log, in words; null when nothing does. Codecs trust their
 * own writers; the log must not stop for one that was written by something else.
 */
export function flawOf(item: LogItem): string | null {
  switch (item.kind) {
    case 'unreadable':
      return null
    case 'attempt':
      return flawOfAttempt({ ...item.attempt })
    case 'routing':
      return flawOfRouting({ ...item.routing })
  }
}

function flawOfAttempt(attempt: Record<string, unknown>): string | null {
  const { dueAtMs } = attempt
  if (dueAtMs !== null && !isTime(dueAtMs)) return 'dueAtMs is no time'
  return flawOfFields(attempt, ATTEMPT_TEXTS, ATTEMPT_TIMES)
}

function flawOfRouting({ event, matched, filtered, ...routing }: Record<string, unknown>): string | null {
  if (!isObject(event)) return 'event is missing'
  if (!Array.isArray(matched) || !matched.every(isMatched)) return 'matched is no list of destinations'
  if (!Array.isArray(filtered) || !filtered.every(isMatched)) return 'filtered is no list of destinations'
  if (!isCount(routing['filteredCount'])) return 'filteredCount is no count'
  return flawOfFields(event, ['id', 'tenantId', 'topic'], []) ?? flawOfFields(routing, [], ['acceptedAtMs'])
}

function flawOfFields(
  record: Record<string, unknown>,
  texts: readonly string[],
  times: readonly string[],
): string | null {
  const noText = texts.find((name) => typeof record[name] !== 'string')
  if (noText !== undefined) return `${noText} is no text`
  const noTime = times.find((name) => !isTime(record[name]))
  return noTime === undefined ? null : `${noTime} is no time`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

const isMatched = (value: unknown): boolean =>
  isObject(value) && typeof value['uid'] === 'string' && typeof value['id'] === 'string'

/** The log's column is a 32-bit integer. */
const MAX_COUNT = 2 ** 31 - 1

const isCount = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_COUNT

const isTime = (value: unknown): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < MAX_TIME_MS
