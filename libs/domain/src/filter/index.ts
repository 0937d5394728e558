import { failed, ok, type Result } from '../result.js'
export interface FilterEvent {
  readonly id: string
  readonly topic: string
  readonly time: string
  readonly metadata: Readonly<Record<string, string>>
  readonly data: () => unknown
}
export type Filter = object
export function readFilter(value: unknown, path = 'filter'): Result<Filter | null> {
  return value === null ? ok(null) : failed([{ path, message: 'x' }])
}
export function compileFilter(_filter: Filter): CompiledFilter {
  throw new Error('x')
}
export interface CompiledFilter {
  readonly needsData: boolean
  readonly required: readonly {
    readonly path: readonly string[]
    readonly values: readonly (string | number | boolean)[]
  }[]
  passes(event: FilterEvent): boolean
  explain(event: FilterEvent): FilterFailure | null
}
export interface FilterFailure {
  readonly rule: string
  readonly expected: unknown
  readonly actual?: unknown
}
