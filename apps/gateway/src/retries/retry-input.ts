import {
  DAY,
  parseStatusRange,
  PERMANENT_BOUNDS,
  RETRY_BOUNDS,
  SECOND,
  TIMEOUT_BOUNDS,
  totalDelayMs,
  type PolicyOverrides,
  type Problem,
  type RetryPolicy,
  type StatusRange,
} from '@barnabas/domain'
import { isObject, pushUnknown, type Json } from '../json-input.js'

/** What a request says of a policy: null = back to the default; a member that is absent stays as it is. */
export type PolicyPatch = Partial<PolicyOverrides>

/** Members of destinations and tenants that this file reads. */
export const POLICY_MEMBERS = ['retry', 'timeout_seconds', 'permanent_status_codes']

const EXPONENTIAL = ['type', 'base_seconds', 'factor', 'max_delay_seconds', 'max_attempts', 'jitter']
const SCHEDULE = ['type', 'delays_seconds', 'jitter']

/** Doubling is what most people mean by exponential. */
const DEFAULT_FACTOR = 2
/** There are no more than two hundred codes to list. */
const MAX_CODES = 200

const SECONDS = { min: RETRY_BOUNDS.minDelayMs / SECOND, max: RETRY_BOUNDS.maxDelayMs / SECOND }
const ATTEMPTS = { min: 1, max: RETRY_BOUNDS.maxAttempts, isWhole: true }
const FACTORS = { min: RETRY_BOUNDS.minFactor, max: RETRY_BOUNDS.maxFactor }
const TIMEOUT = { min: TIMEOUT_BOUNDS.minMs / SECOND, max: TIMEOUT_BOUNDS.maxMs / SECOND }

interface Bounds {
  readonly min: number
  readonly max: number
  readonly isWhole?: boolean
}

/** Reads the policy's members of a destination or a tenant. Mistakes go into `problems`. */
export function readPolicy(given: Json, problems: Problem[]): PolicyPatch {
  const { retry, timeout_seconds: timeout, permanent_status_codes: codes } = given
  return {
    ...(retry === undefined ? {} : { retry: readRetry(retry, problems) }),
    ...(timeout === undefined ? {} : { timeoutMs: readTimeout(timeout, problems) }),
    ...(codes === undefined ? {} : { permanentStatusCodes: readCodes(codes, problems) }),
  }
}

function readRetry(value: unknown, problems: Problem[]): RetryPolicy | null {
  if (value === null) return null
  if (!isObject(value)) {
    problems.push({ path: 'retry', message: 'must be an object, or null' })
    return null
  }
  const before = problems.length
  const policy = readByType(value, problems)
  if (problems.length > before) return null
  if (policy && totalDelayMs(policy) > RETRY_BOUNDS.maxTotalMs) {
    const message = `has waits that add up to more than ${RETRY_BOUNDS.maxTotalMs / DAY} days`
    problems.push({ path: 'retry', message })
  }
  return policy
}

function readByType(value: Json, problems: Problem[]): RetryPolicy | null {
  switch (value['type']) {
    case 'exponential':
      return readExponential(value, problems)
    case 'schedule':
      return readSchedule(value, problems)
    default:
      problems.push({ path: 'retry.type', message: 'must be exponential or schedule' })
      return null
  }
}

function readExponential(value: Json, problems: Problem[]): RetryPolicy {
  pushUnknown(value, 'retry', EXPONENTIAL, problems)
  const number = (name: string, bounds: Bounds, fallback?: number): number =>
    value[name] === undefined && fallback !== undefined
      ? fallback
      : readNumber(value[name], `retry.${name}`, bounds, problems)
  const baseMs = milliseconds(number('base_seconds', SECONDS))
  const maxDelayMs = milliseconds(number('max_delay_seconds', SECONDS, SECONDS.max))
  if (maxDelayMs < baseMs)
    problems.push({ path: 'retry.max_delay_seconds', message: 'must not be less than retry.base_seconds' })
  return {
    kind: 'exponential',
    baseMs,
    factor: number('factor', FACTORS, DEFAULT_FACTOR),
    maxDelayMs,
    maxAttempts: number('max_attempts', ATTEMPTS),
    hasJitter: readJitter(value['jitter'], problems),
  }
}

function readSchedule(value: Json, problems: Problem[]): RetryPolicy {
  pushUnknown(value, 'retry', SCHEDULE, problems)
  const { delays_seconds: delays, jitter } = value
  const hasJitter = readJitter(jitter, problems)
  if (!Array.isArray(delays) || delays.length >= RETRY_BOUNDS.maxAttempts) {
    const message = `must be an array of at most ${RETRY_BOUNDS.maxAttempts - 1} waits in seconds`
    problems.push({ path: 'retry.delays_seconds', message })
    return { kind: 'schedule', delaysMs: [], hasJitter }
  }
  const delaysMs = delays.map((delay: unknown, index) =>
    milliseconds(readNumber(delay, `retry.delays_seconds[${index}]`, SECONDS, problems)),
  )
  return { kind: 'schedule', delaysMs, hasJitter }
}

function readJitter(value: unknown, problems: Problem[]): boolean {
  if (value === undefined) return true
  if (typeof value !== 'boolean') problems.push({ path: 'retry.jitter', message: 'must be true or false' })
  return value === true
}

const readTimeout = (value: unknown, problems: Problem[]): number | null =>
  value === null ? null : milliseconds(readNumber(value, 'timeout_seconds', TIMEOUT, problems))

function readCodes(value: unknown, problems: Problem[]): StatusRange[] | null {
  if (value === null) return null
  if (!Array.isArray(value) || value.length > MAX_CODES) {
    const message = `must be an array of at most ${MAX_CODES} statuses and ranges, or null`
    problems.push({ path: 'permanent_status_codes', message })
    return null
  }
  const { from, to } = PERMANENT_BOUNDS
  const message = `must be a status from ${from} to ${to}, or a range of them such as "400-404"`
  return value.flatMap((code: unknown, index) => {
    const isCode = typeof code === 'number' || typeof code === 'string'
    const range = isCode ? parseStatusRange(String(code)) : null
    if (!range) problems.push({ path: `permanent_status_codes[${index}]`, message })
    return range ?? []
  })
}

/** NaN when it is wrong. */
function readNumber(
  value: unknown,
  path: string,
  { min, max, isWhole }: Bounds,
  problems: Problem[],
): number {
  if (typeof value === 'number' && value >= min && value <= max && (!isWhole || Number.isInteger(value)))
    return value
  problems.push({ path, message: `must be a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}` })
  return Number.NaN
}

const milliseconds = (seconds: number): number => Math.round(seconds * SECOND)
