import { checkTime, codeOfWire, type Code, type Problem } from '@barnabas/domain'
import { validationFailed } from '../http/api-error.js'

/** What a redrive is asked for. */
export interface RedriveInput {
  readonly tenantId: string
  readonly destinationId: string | null
  readonly codes: readonly Code[] | null
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly ratePerSecond: number
}

export interface RedriveRates {
  readonly defaultPerSecond: number
  readonly maxPerSecond: number
}

const MEMBERS = ['tenant_id', 'destination_id', 'codes', 'from', 'to', 'rate_per_second']
/** There are not so many. */
const MAX_CODES = 100

/** Throws 422 with every mistake. */
export function readRedrive(body: unknown, rates: RedriveRates): RedriveInput {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  const problems: Problem[] = Object.keys(body)
    .filter((name) => !MEMBERS.includes(name))
    .map((path) => ({ path, message: 'is not a member of a redrive' }))
  const given = new Given(new Map(Object.entries(body)), problems)
  const tenantId = given.text('tenant_id')
  if ((body as Partial<Record<string, unknown>>)['tenant_id'] === undefined)
    problems.push({ path: 'tenant_id', message: 'is required' })
  const input: RedriveInput = {
    tenantId: tenantId ?? '',
    destinationId: given.text('destination_id'),
    codes: given.codes(),
    fromMs: given.time('from'),
    toMs: given.time('to'),
    ratePerSecond: given.rate(rates),
  }
  const { fromMs, toMs } = input
  if (fromMs !== null && toMs !== null && fromMs >= toMs)
    problems.push({ path: 'to', message: 'must be later than from' })
  if (problems.length > 0) throw validationFailed(problems)
  return input
}

/** Reads members and notes what is wrong with them; what is absent or null is null. */
class Given {
  constructor(
    private readonly members: ReadonlyMap<string, unknown>,
    private readonly problems: Problem[],
  ) {}

  text(path: string): string | null {
    const value = this.members.get(path) ?? null
    if (value === null || (typeof value === 'string' && value !== '')) return value
    return this.wrong(path, 'must be text that is not empty')
  }

  time(path: string): number | null {
    const value = this.text(path)
    const message = value === null ? null : checkTime(value)
    if (message !== null) return this.wrong(path, message)
    return value === null ? null : Date.parse(value)
  }

  codes(): readonly Code[] | null {
    const value = this.members.get('codes') ?? null
    if (value === null) return null
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_CODES)
      return this.wrong('codes', `must be a list of 1 to ${MAX_CODES} codes`)
    const codes = value.map((code) => (typeof code === 'string' ? codeOfWire(code) : null))
    const unknown = codes.indexOf(null)
    if (unknown >= 0)
      return this.wrong(`codes[${unknown}]`, 'must be a status such as "503", or a code of docs/errors.md')
    return codes as Code[]
  }

  rate({ defaultPerSecond, maxPerSecond }: RedriveRates): number {
    const value = this.members.get('rate_per_second') ?? Math.min(defaultPerSecond, maxPerSecond)
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= maxPerSecond)
      return value
    this.wrong('rate_per_second', `must be a whole number from 1 to ${maxPerSecond}`)
    return 1
  }

  private wrong(path: string, message: string): null {
    this.problems.push({ path, message })
    return null
  }
}
