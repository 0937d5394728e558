import type { Cursor } from '../cursor.js'

/** Bounds of a time range: whatever `Date.parse` reads, which is more than PostgreSQL does. */
export interface TimeRange {
  readonly gt?: string | undefined
  readonly gte?: string | undefined
  readonly lt?: string | undefined
  readonly lte?: string | undefined
}

const OPERATORS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

/** Gathers the conditions of a query with their parameters. Column names come from code, values never do. */
export class Where {
  readonly parameters: unknown[] = []
  private readonly conditions: string[] = []

  /** `?` stands for the value. A value that is undefined adds nothing. */
  add(condition: string, value: unknown): void {
    if (value === undefined) return
    this.parameters.push(value)
    this.conditions.push(condition.replace('?', `$${this.parameters.length}`))
  }

  /** A condition without a value. */
  always(condition: string): void {
    this.conditions.push(condition)
  }

  time(column: string, range: TimeRange | undefined): void {
    if (!range) return
    for (const [name, operator] of Object.entries(OPERATORS)) {
      const bound = range[name as keyof TimeRange]
      // The 30th of February and the year nought are moments for JavaScript and mistakes for PostgreSQL.
      const atMs = bound === undefined ? undefined : Date.parse(bound)
      this.add(`${column} ${operator} to_timestamp(?::float8 / 1000)`, atMs)
    }
  }

  /** Rows after the cursor in the direction that the query reads. */
  cursor(columns: readonly [string, string], cursor: Cursor | null, isForward: boolean): void {
    if (!cursor) return
    this.parameters.push(cursor.at, cursor.id)
    const count = this.parameters.length
    const comparison = isForward ? '>' : '<'
    this.conditions.push(`(${columns.join(', ')}) ${comparison} ($${count - 1}::timestamptz, $${count})`)
  }

  get sql(): string {
    return this.conditions.length === 0 ? '' : `WHERE ${this.conditions.join(' AND ')}`
  }
}
