import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import type { Logger } from './logger.js'
import type { LabelsOf, MetricKey, MetricOf } from './metric-names.js'
import { MetricSource } from './metric-source.js'
import { VERSION } from './version.js'

/** Nothing for a metric without labels, else all of them. */
type Labelled<Key extends MetricKey> = keyof LabelsOf<Key> extends never ? [] : [labels: LabelsOf<Key>]

const NO_LABELS = {}

/** Collects when it is asked to, and never by itself. */
class PullReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }
}

/** Names, labels and units are those of `METRICS`; the compiler holds callers to them. */
export class Metrics {
  private readonly source = new MetricSource()
  private readonly reader = new PullReader({ metricProducers: [this.source] })
  // Neither scopes nor the resource: `build_info` says what runs, and Prometheus adds where.
  private readonly serializer = new PrometheusSerializer('', false, undefined, true, true)

  constructor(
    private readonly app: string,
    private readonly log?: Pick<Logger, 'warn'>,
  ) {
    const resource = resourceFromAttributes({
      'service.name': `barnabas-${this.app}`,
      'service.version': VERSION,
    })
    // Binds the reader; what OpenTelemetry's own instruments of this provider count would be shown as well.
    new MeterProvider({ resource, readers: [this.reader] })
  }

  /** Adds to a counter; `by` is never negative. 0 makes a series visible before anything has happened. */
  count<Key extends MetricOf<'counter'>>(key: Key, by: number, ...[labels]: Labelled<NoInfer<Key>>): void {
    this.source.count(key, by, labels ?? NO_LABELS)
  }

  /** Notes one value of a histogram, in the metric's unit. */
  observe<Key extends MetricOf<'histogram'>>(
    key: Key,
    value: number,
    ...[labels]: Labelled<NoInfer<Key>>
  ): void {
    this.source.observe(key, value, labels ?? NO_LABELS)
  }

  /** Shows what `read` answers at each scrape; it must be quick. Answers with what takes the gauge away again. */
  gauge<Key extends MetricOf<'gauge'>>(
    key: Key,
    read: () => number,
    ...[labels]: Labelled<NoInfer<Key>>
  ): () => void {
    return this.source.read(key, () => [[labels ?? NO_LABELS, read()]])
  }

  /** As `gauge`, for labels that come and go: what `read` leaves out is not shown any more. */
  gauges<Key extends MetricOf<'gauge'>>(
    key: Key,
    read: () => Iterable<readonly [LabelsOf<NoInfer<Key>>, number]>,
  ): () => void {
    return this.source.read(key, read)
  }

  /** A counter that somebody else keeps: `read` answers with totals, which never fall. */
  totals<Key extends MetricOf<'counter'>>(
    key: Key,
    read: () => Iterable<readonly [LabelsOf<NoInfer<Key>>, number]>,
  ): () => void {
    return this.source.read(key, read)
  }

  /** All metrics in Prometheus's text format, version 0.0.4. */
  async expose(): Promise<string> {
    const { resourceMetrics, errors } = await this.reader.collect()
    for (const error of errors) this.log?.warn({ err: error }, 'metrics.gauge_failed')
    return `${this.serializer.serialize(resourceMetrics)}\n`
  }
}

/** What is needed of Fastify; structural, so that any instance of it fits. */
export interface MetricsServer {
  get(path: string, handler: (request: unknown, reply: MetricsReply) => Promise<unknown>): unknown
}

interface MetricsReply {
  type(contentType: string): unknown
}

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Adds `GET /metrics`. */
export function registerMetricsRoute(server: MetricsServer, metrics: Metrics): void {
  server.get('/metrics', async (_request, reply) => {
    reply.type(METRICS_CONTENT_TYPE)
    return metrics.expose()
  })
}
