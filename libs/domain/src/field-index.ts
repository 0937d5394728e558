import { isScalar } from './filter/json-value.js'
import { filterKeyOf, type FilterKey } from './filter/required.js'

/** Below so many children they are looked up one by one; above, the value's own members are gone through. Chosen. */
const FEW_CHILDREN = 32

/**
 * Entries by the keys that they ask for at a path of members (`filterKeyOf`). Arrays on the way and at its end are transparent: an
 * entry is found when any element leads to its value, as equality in filters has it. Not safe for concurrent use.
 */
export class FieldIndex<Entry> {
  private readonly root = new Field<Entry>()

  add(path: readonly string[], keys: readonly FilterKey[], entry: Entry): void {
    let field = this.root
    for (const name of path) field = field.child(name)
    for (const key of keys) field.add(key, entry)
  }

  remove(path: readonly string[], keys: readonly FilterKey[], entry: Entry): void {
    const fields = [this.root]
    for (const name of path) {
      const next = fields.at(-1)?.children.get(name)
      if (!next) return
      fields.push(next)
    }
    for (const key of keys) fields.at(-1)?.remove(key, entry)
    for (let depth = path.length; depth > 0; depth--) {
      if (!fields[depth]?.isEmpty) return
      fields[depth - 1]?.children.delete(path[depth - 1] ?? '')
    }
  }

  /** Whether some path begins with this member. */
  asksFor(name: string): boolean {
    return this.root.children.has(name)
  }

  /**
   * Tells of every entry whose value stands at its path, some of them repeatedly. `members` are those of the topmost
   * object; only those that a path begins with are asked for. Costs a step for each part of the value that lies on a path.
   */
  find(members: Readonly<Record<string, () => unknown>>, tell: (entries: ReadonlySet<Entry>) => void): void {
    // A stack of our own: an array may be nested deeper than the machine's reaches.
    const fields: Field<Entry>[] = []
    const values: unknown[] = []
    for (const [name, child] of this.root.children) {
      if (!Object.hasOwn(members, name)) continue
      fields.push(child)
      values.push(members[name]?.())
    }
    for (let field = fields.pop(); field; field = fields.pop()) {
      const value = values.pop()
      if (Array.isArray(value)) {
        for (const element of value as unknown[]) {
          fields.push(field)
          values.push(element)
        }
      } else if (typeof value === 'object' && value !== null) {
        pushMembers(value as Record<string, unknown>, field, fields, values)
      } else if (isScalar(value)) {
        const key = filterKeyOf(value)
        const entries = key === null ? undefined : field.entriesByKey.get(key)
        if (entries) tell(entries)
      }
    }
  }
}

function pushMembers<Entry>(
  value: Readonly<Record<string, unknown>>,
  { children }: Field<Entry>,
  fields: Field<Entry>[],
  values: unknown[],
): void {
  const names = children.size <= FEW_CHILDREN ? children.keys() : Object.keys(value)
  for (const name of names) {
    const child = children.get(name)
    if (!child || !Object.hasOwn(value, name)) continue
    fields.push(child)
    values.push(value[name])
  }
}

class Field<Entry> {
  readonly children = new Map<string, Field<Entry>>()
  readonly entriesByKey = new Map<FilterKey, Set<Entry>>()

  get isEmpty(): boolean {
    return this.children.size === 0 && this.entriesByKey.size === 0
  }

  child(name: string): Field<Entry> {
    const known = this.children.get(name)
    if (known) return known
    const made = new Field<Entry>()
    this.children.set(name, made)
    return made
  }

  add(key: FilterKey, entry: Entry): void {
    const known = this.entriesByKey.get(key)
    if (known) known.add(entry)
    else this.entriesByKey.set(key, new Set([entry]))
  }

  remove(key: FilterKey, entry: Entry): void {
    const known = this.entriesByKey.get(key)
    known?.delete(entry)
    if (known?.size === 0) this.entriesByKey.delete(key)
  }
}
