import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api'
import { emptyResource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics'
import { definitionOf, metricName, type MetricKey } from './metric-names.js'
import { SeriesSet, type Series } from './series.js'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

/** Asked at each scrape. */
export type ReadSamples = () => Iterable<Sample>

interface Counted {
  total: number
}

/** Counts by bucket, the last one for what lies above all. */
interface Distribution {
  readonly counts: number[]
  count: number
  sum: number
}

/**
 * Aggregates in plain numbers and hands the result to OpenTelemetry's SDK as a metric producer. The SDK's own
 * instruments hash the labels at each call (0.76 µs a counter with three labels, 0.79 µs a histogram; here 0.06 and
 * 0.05 µs), and its observable gauges go on showing labels that are no longer reported: a partition that was lost
 * would keep its lag for ever.
 */
export class MetricSource implements MetricProducer {
  private readonly counters = new Map<MetricKey, SeriesSet<Counted>>()
  private readonly histograms = new Map<MetricKey, SeriesSet<Distribution>>()
  private readonly readers = new Map<MetricKey, Set<ReadSamples>>()
  private readonly startTime = timeNow()

  count(key: MetricKey, by: number, labels: Labels): void {
    const set = this.counters.get(key) ?? this.addCounter(key)
    set.at(labels).total += by
  }

  observe(key: MetricKey, value: number, labels: Labels): void {
    const set = this.histograms.get(key) ?? this.addHistogram(key)
    const distribution = set.at(labels)
    distribution.count++
    distribution.sum += value
    const bounds = boundsOf(key)
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++
    distribution.counts[bucket] = (distribution.counts[bucket] ?? 0) + 1
  }

  /** Answers with what removes it. */
  read(key: MetricKey, read: ReadSamples): () => void {
    const readers = this.readers.get(key) ?? new Set()
    this.readers.set(key, readers)
    readers.add(read)
    return () => void readers.delete(read)
  }

  /** For OpenTelemetry's metric reader. A reader that throws costs its own samples only. */
  collect(): Promise<CollectionResult> {
    const errors: unknown[] = []
    const metrics = [
      ...[...this.counters].map(([key, set]) => this.sum(key, set.all().map(totalOf))),
      ...[...this.readers].map(([key, readers]) => this.sampled(key, readers, errors)),
      ...[...this.histograms].map(([key, set]) => this.histogram(key, set.all())),
    ].filter(({ dataPoints }) => dataPoints.length > 0)
    const scope = { name: 'barnabas' }
    const resourceMetrics = { resource: emptyResource(), scopeMetrics: [{ scope, metrics }] }
    return Promise.resolve({ resourceMetrics, errors })
  }

  private addCounter(key: MetricKey): SeriesSet<Counted> {
    const set = new SeriesSet<Counted>(definitionOf(key).labels, () => ({ total: 0 }))
    this.counters.set(key, set)
    return set
  }

  private addHistogram(key: MetricKey): SeriesSet<Distribution> {
    const buckets = boundsOf(key).length + 1
    const make = (): Distribution => ({ counts: new Array<number>(buckets).fill(0), count: 0, sum: 0 })
    const set = new SeriesSet<Distribution>(definitionOf(key).labels, make)
    this.histograms.set(key, set)
    return set
  }

  /** What was read now, in the order of the readers; of equal labels the last one holds. */
  private sampled(key: MetricKey, readers: ReadonlySet<ReadSamples>, errors: unknown[]): MetricData {
    const set = new SeriesSet<Counted>(definitionOf(key).labels, () => ({ total: 0 }))
    for (const read of readers) {
      try {
        for (const [labels, value] of read()) set.at(labels).total = value
      } catch (error) {
        errors.push(error)
      }
    }
    const samples = set.all().map(totalOf)
    return definitionOf(key).kind === 'counter' ? this.sum(key, samples) : this.gauge(key, samples)
  }

  private sum(key: MetricKey, series: readonly Series<number>[]): MetricData {
    const dataPoints = series.map((one) => this.point(one.attributes, one.value))
    return { ...head(key), dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
  }

  private gauge(key: MetricKey, series: readonly Series<number>[]): MetricData {
    const dataPoints = series.map((one) => this.point(one.attributes, one.value))
    return { ...head(key), dataPointType: DataPointType.GAUGE, dataPoints }
  }

  private histogram(key: MetricKey, series: readonly Series<Distribution>[]): MetricData {
    const boundaries = [...boundsOf(key)]
    const dataPoints = series.map(({ attributes, value: { counts, count, sum } }) =>
      this.point(attributes, { buckets: { boundaries, counts: [...counts] }, count, sum }),
    )
    return { ...head(key), dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }

  private point<Value>(attributes: Attributes, value: Value): DataPoint<Value> {
    return { startTime: this.startTime, endTime: timeNow(), attributes, value }
  }
}

const totalOf = ({ attributes, value }: Series<Counted>): Series<number> => ({
  attributes,
  value: value.total,
})

const NO_BOUNDS: readonly number[] = []
const boundsOf = (key: MetricKey): readonly number[] => definitionOf(key).buckets ?? NO_BOUNDS

function head(key: MetricKey) {
  const { about, unit } = definitionOf(key)
  return {
    descriptor: {
      name: metricName(key),
      description: about,
      unit: unit ?? '',
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
}

/** OpenTelemetry's pair of seconds and nanoseconds. */
function timeNow(): HrTime {
  const nowMs = Date.now()
  return [Math.floor(nowMs / 1_000), (nowMs % 1_000) * 1_000_000]
}
