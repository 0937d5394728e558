import {
  MINUTE,
  NO_LIMITS,
  SECOND,
  type DeliveryLimits,
  type Problem,
  type RateLimit,
} from '@barnabas/domain'
import { isObject, pushUnknown } from '../json-input.js'

/** Limits as a request gives them: null = all as they were at first; a member that is absent stays as it is. */
export type LimitsPatch = Partial<DeliveryLimits> | null

/** A thousand requests at once are more than one dispatcher's connections to one target should be. */
const MAX_IN_FLIGHT = 1_000
/** Far above what a dispatcher sends; a larger one would limit nothing. */
const MAX_RATE_COUNT = 1_000_000
/** Each shard is a lane of its own; beyond the partitions that there are, more shards share out nothing more. */
const MAX_SPREAD = 64

const PERIODS_MS: Readonly<Record<string, number>> = { second: SECOND, minute: MINUTE }
const MEMBERS = ['max_in_flight', 'rate', 'spread']

/** Limits as the API shows them. */
export interface LimitsJson {
  readonly max_in_flight: number | null
  readonly rate: { readonly count: number; readonly per: string } | null
  readonly spread: number
}

export const limitsJson = ({ maxInFlight, rate, spread }: DeliveryLimits): LimitsJson => ({
  max_in_flight: maxInFlight,
  rate: rate && { count: rate.count, per: rate.perMs === SECOND ? 'second' : 'minute' },
  spread,
})

/** Reads `limits`; undefined = the request says nothing of them. Mistakes go into `problems`. */
export function readLimits(value: unknown, problems: Problem[]): LimitsPatch | undefined {
  if (value === undefined || value === null) return value
  if (!isObject(value)) {
    problems.push({ path: 'limits', message: 'must be an object, or null' })
    return undefined
  }
  pushUnknown(value, 'limits', MEMBERS, problems)
  const { max_in_flight: maxInFlight, rate, spread } = value
  return {
    ...(maxInFlight === undefined
      ? {}
      : { maxInFlight: readCount(maxInFlight, 'limits.max_in_flight', MAX_IN_FLIGHT, problems) }),
    ...(rate === undefined ? {} : { rate: readRate(rate, problems) }),
    ...(spread === undefined
      ? {}
      : { spread: readCount(spread, 'limits.spread', MAX_SPREAD, problems) ?? NO_LIMITS.spread }),
  }
}

/** What the limits are after the request, and what does not fit together then. */
export function mergeLimits(
  current: DeliveryLimits,
  patch: LimitsPatch,
): { limits: DeliveryLimits; problems: Problem[] } {
  const limits = patch === null ? NO_LIMITS : { ...current, ...patch }
  const { maxInFlight, spread } = limits
  if (maxInFlight === null || maxInFlight >= spread) return { limits, problems: [] }
  const message = `must be at least limits.spread, which is ${spread}: each shard needs one attempt at least`
  return { limits, problems: [{ path: 'limits.max_in_flight', message }] }
}

/** Null when it is null, or wrong. */
function readCount(value: unknown, path: string, max: number, problems: Problem[]): number | null {
  if (value === null) return null
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value
  problems.push({ path, message: `must be a whole number from 1 to ${max}, or null` })
  return null
}

function readRate(value: unknown, problems: Problem[]): RateLimit | null {
  if (value === null) return null
  if (!isObject(value)) {
    problems.push({ path: 'limits.rate', message: 'must be an object of count and per, or null' })
    return null
  }
  pushUnknown(value, 'limits.rate', ['count', 'per'], problems)
  const { count, per } = value
  const isCount =
    typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= MAX_RATE_COUNT
  if (!isCount)
    problems.push({
      path: 'limits.rate.count',
      message: `must be a whole number from 1 to ${MAX_RATE_COUNT}`,
    })
  const perMs = typeof per === 'string' && Object.hasOwn(PERIODS_MS, per) ? PERIODS_MS[per] : undefined
  if (perMs === undefined) problems.push({ path: 'limits.rate.per', message: 'must be second or minute' })
  return isCount && perMs !== undefined ? { count, perMs } : null
}
