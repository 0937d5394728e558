import { SECOND } from './durations.js'
import type { RetryPolicy } from './retry-policy.js'

/** HTTP status codes from `from` to `to`, both included. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

/** How a destination's deliveries are attempted: everything that a dispatcher needs to know for it. */
export interface DeliveryPolicy {
  readonly retry: RetryPolicy
  /** An attempt that has no answer by then is given up. Milliseconds. */
  readonly timeoutMs: number
  /** Answers after which there is no further attempt, although they might change. */
  readonly permanentStatusCodes: readonly StatusRange[]
}

/** What a destination, or a tenant for its destinations, says of a policy; null = not said here. */
export type PolicyOverrides = { readonly [Member in keyof DeliveryPolicy]: DeliveryPolicy[Member] | null }

export const NO_OVERRIDES: PolicyOverrides = { retry: null, timeoutMs: null, permanentStatusCodes: null }

/** An attempt holds back the commit point of its partition as long as it lasts: no longer than a minute. */
export const TIMEOUT_BOUNDS = { minMs: SECOND, maxMs: 60 * SECOND } as const

/**
 * Codes that can be made permanent: all errors, 408, 425, 429 and 5xx included, for only a tenant knows its target.
 * 2xx is success, and 1xx and 3xx are no answers of an application.
 */
export const PERMANENT_BOUNDS = { from: 400, to: 599 } as const

/** Each member from the first layer that says something of it, the nearest one first. */
export function effectivePolicy(
  destination: PolicyOverrides,
  tenant: PolicyOverrides,
  defaults: DeliveryPolicy,
): DeliveryPolicy {
  return {
    retry: destination.retry ?? tenant.retry ?? defaults.retry,
    timeoutMs: destination.timeoutMs ?? tenant.timeoutMs ?? defaults.timeoutMs,
    permanentStatusCodes:
      destination.permanentStatusCodes ?? tenant.permanentStatusCodes ?? defaults.permanentStatusCodes,
  }
}

/** Whether the code is that of an HTTP answer in one of the ranges. */
export function isPermanentCode(code: string, ranges: readonly StatusRange[]): boolean {
  if (!code.startsWith('http_')) return false
  const status = Number(code.slice('http_'.length))
  return ranges.some(({ from, to }) => status >= from && status <= to)
}

/** `404` or `400-404` as a range within the bounds, or null. */
export function parseStatusRange(text: string): StatusRange | null {
  const [, first, last] = /^(\d{3})(?:-(\d{3}))?$/.exec(text) ?? []
  const range = { from: Number(first), to: Number(last ?? first) }
  const isWithin = range.from >= PERMANENT_BOUNDS.from && range.to <= PERMANENT_BOUNDS.to
  return isWithin && range.from <= range.to ? range : null
}
