import type { Attributes } from '@opentelemetry/api'

type Labels = Readonly<Record<string, string>>

/** One metric's value for one set of labels. */
export interface Series<Value> {
  readonly attributes: Attributes
  readonly value: Value
}

/** A step of the way to a series: the branches by the value of one label. */
interface Branches<Value> {
  readonly byLabel: Map<string, Branches<Value>>
  series: Series<Value> | null
}

/** Of a metric; the bound of OpenTelemetry's own SDK. Only a label that is no small set gets there. */
const MAX_SERIES = 2_000
/** As OpenTelemetry names it. */
const OVERFLOW: Attributes = { 'otel.metric.overflow': 'true' }

/**
 * The series of one metric, found label by label in the order of the table. The labels are kept with the series:
 * nothing is hashed, joined or copied when known ones are met.
 */
export class SeriesSet<Value> {
  private readonly root: Branches<Value> = { byLabel: new Map(), series: null }
  private readonly known: Series<Value>[] = []
  private overflow: Series<Value> | null = null

  constructor(
    private readonly labelNames: readonly string[],
    private readonly make: () => Value,
  ) {}

  at(labels: Labels): Value {
    let branches = this.root
    for (const name of this.labelNames) {
      const next = branches.byLabel.get(labels[name] ?? '')
      if (!next) return this.add(labels).value
      branches = next
    }
    return (branches.series ?? this.add(labels)).value
  }

  all(): readonly Series<Value>[] {
    return this.overflow ? [...this.known, this.overflow] : this.known
  }

  private add(labels: Labels): Series<Value> {
    if (this.known.length >= MAX_SERIES) {
      this.overflow ??= { attributes: OVERFLOW, value: this.make() }
      return this.overflow
    }
    let branches = this.root
    for (const name of this.labelNames) {
      const value = labels[name] ?? ''
      const next = branches.byLabel.get(value) ?? { byLabel: new Map(), series: null }
      branches.byLabel.set(value, next)
      branches = next
    }
    // Prometheus takes an empty label for one that is not there.
    const given = this.labelNames.flatMap((name) => (labels[name] ? [[name, labels[name]] as const] : []))
    branches.series = { attributes: Object.fromEntries(given), value: this.make() }
    this.known.push(branches.series)
    return branches.series
  }
}
