import type { Problem } from '@barnabas/domain'
import { checkTime } from '@barnabas/domain'
import type { TimeRange } from '@barnabas/storage'
import { validationFailed } from './api-error.js'

/** A query string as Fastify gives it: repeated parameters are arrays. */
export type RawQuery = Readonly<Record<string, string | string[] | undefined>>

/** All values of a parameter in each form that the contract allows: `id=a`, repeated, `id[]=a`, `id[0]=a`. */
export function valuesOf(query: RawQuery, name: string): string[] | undefined {
  const found = Object.entries(query)
    .filter(
      ([key]) => key === name || (key.startsWith(`${name}[`) && /^\[\d*\]$/.test(key.slice(name.length))),
    )
    .flatMap(([, value]) => value ?? [])
    .filter((value) => value !== '')
  return found.length === 0 ? undefined : found
}

/** The one value of a parameter. */
export const valueOf = (query: RawQuery, name: string): string | undefined => valuesOf(query, name)?.[0]

const BOUNDS = ['gt', 'gte', 'lt', 'lte'] as const

/** How a list is to be cut and ordered. */
export interface ListQuery {
  readonly limit: number
  readonly dir: 'asc' | 'desc'
  readonly next?: string
  readonly prev?: string
  readonly time?: TimeRange
}

export interface ListLimits {
  readonly defaultLimit: number
  readonly maxLimit: number
  /** The one field that lists can be ordered by. */
  readonly orderBy: string
}

/** Reads paging, direction and time range; throws 422 with every mistake. */
export function readListQuery(query: RawQuery, { defaultLimit, maxLimit, orderBy }: ListLimits): ListQuery {
  const problems: Problem[] = []
  const limit = readLimit(valueOf(query, 'limit'), defaultLimit, maxLimit, problems)
  const dir = readDir(valueOf(query, 'dir'), problems)
  const asked = valueOf(query, 'order_by')
  if (asked !== undefined && asked !== orderBy)
    problems.push({ path: 'order_by', message: `must be ${orderBy}` })
  const [next, prev] = [valueOf(query, 'next'), valueOf(query, 'prev')]
  if (next !== undefined && prev !== undefined) {
    problems.push({ path: 'prev', message: 'must not be given together with next' })
  }
  const time = readTime(query, problems)
  if (problems.length > 0) throw validationFailed(problems)
  return {
    limit,
    dir,
    ...(next === undefined ? {} : { next }),
    ...(prev === undefined ? {} : { prev }),
    ...(time === undefined ? {} : { time }),
  }
}

function readLimit(
  raw: string | undefined,
  defaultLimit: number,
  maxLimit: number,
  problems: Problem[],
): number {
  if (raw === undefined) return defaultLimit
  const limit = Number(raw)
  if (/^\d+$/.test(raw) && limit >= 1 && limit <= maxLimit) return limit
  problems.push({ path: 'limit', message: `must be a whole number from 1 to ${maxLimit}` })
  return defaultLimit
}

function readDir(raw: string | undefined, problems: Problem[]): 'asc' | 'desc' {
  if (raw === 'asc' || raw === 'desc') return raw
  if (raw !== undefined) problems.push({ path: 'dir', message: 'must be asc or desc' })
  return 'desc'
}

function readTime(query: RawQuery, problems: Problem[]): TimeRange | undefined {
  const range: Partial<Record<(typeof BOUNDS)[number], string>> = {}
  for (const bound of BOUNDS) {
    const path = `time[${bound}]`
    const value = query[path]
    if (value === undefined) continue
    const message = typeof value === 'string' ? checkTime(value) : 'must be given once'
    if (message !== null) problems.push({ path, message })
    else range[bound] = value as string
  }
  return Object.keys(range).length === 0 ? undefined : range
}

export const badCursor = () => validationFailed([{ path: 'next', message: 'is not a cursor of this list' }])

/** The contract's pagination object. */
export const pagination = (
  query: ListQuery,
  page: { next: string | null; prev: string | null },
  orderBy: string,
) => ({
  order_by: orderBy,
  dir: query.dir,
  limit: query.limit,
  next: page.next,
  prev: page.prev,
})
