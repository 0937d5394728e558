import type { Problem } from '@barnabas/domain'

/** A JSON object whose members nobody has looked at yet. */
export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reports members of the object at `path` that nobody reads. */
export function pushUnknown(value: Json, path: string, known: readonly string[], problems: Problem[]): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name))
      problems.push({ path: `${path}.${name}`, message: 'is not a member that can be set' })
  }
}
