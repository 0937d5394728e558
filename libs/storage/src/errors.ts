import { toError } from '@barnabas/domain'

/** The PostgreSQL error code (SQLSTATE) or Node's error code of whatever was thrown, or ''. */
export function sqlState(error: unknown): string {
  const { driverError, code } = toError(error) as { driverError?: unknown; code?: unknown }
  if (typeof code === 'string') return code
  return driverError === undefined || driverError === error ? '' : sqlState(driverError)
}

/**
 * Codes that mean "not now": no connection, a server that starts or stops, a standby before its promotion (25006), and
 * tables that the gateway's migration has not made yet (42P01).
 */
const UNAVAILABLE = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'EHOSTUNREACH',
  'ENETUNREACH', '42P01', '25006',
  '57P01', '57P02', '57P03', '57P05', '57014', '55P03', '40001', '40P01', '25P02',
]) // prettier-ignore

/** Class 08: connection exceptions. Class 53: no connection, memory or disk space is left. */
const UNAVAILABLE_CLASS = /^(08|53)[0-9A-Z]{3}$/

/** Texts of node-postgres for a connection that broke or never came; it gives these errors no code. */
const WITHOUT_CODE = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
  'Client was closed',
  'Client has encountered a connection error',
]

/** True when PostgreSQL could not be reached or could not serve right now: the same request may work later. */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error)
  if (UNAVAILABLE.has(state) || UNAVAILABLE_CLASS.test(state)) return true
  const { message, cause } = toError(error)
  if (WITHOUT_CODE.some((text) => message.includes(text))) return true
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  // Only errors are followed: what was thrown as something else is its own cause for ever.
  return cause instanceof Error && isUnavailable(cause)
}

/** Classes 22 and 23, and a key too long for an index: the data itself was refused; it will be refused again. */
export const isDataError = (error: unknown): boolean => /^(2[23]...|54000)$/.test(sqlState(error))

const CHARACTER_NOT_IN_REPERTOIRE = '22021'
/** Text with NUL, which PostgreSQL cannot hold: nothing is stored under it, nor can it be stored. */
export const isTextRefused = (error: unknown): boolean => sqlState(error) === CHARACTER_NOT_IN_REPERTOIRE

const UNIQUE_VIOLATION = '23505'
export const isUniqueViolation = (error: unknown): boolean => sqlState(error) === UNIQUE_VIOLATION
