import fastify from 'fastify'
import type { Health } from './health.js'
import { registerHealthRoutes } from './health.js'
import { registerMetricsRoute, type Metrics } from './metrics.js'

export interface MetricsListenerOptions {
  readonly metrics: Metrics
  readonly health: Health
  readonly host: string
  /** 0 = a free one. */
  readonly port: number
}

export interface MetricsListener {
  readonly url: string
  close(): Promise<void>
}

/**
 * A listener apart for `/metrics`, `/livez` and `/readyz`, for an app whose own port strangers can reach. Rejects when
 * the address is taken.
 */
export async function listenForMetrics(options: MetricsListenerOptions): Promise<MetricsListener> {
  const server = fastify()
  registerMetricsRoute(server, options.metrics)
  registerHealthRoutes(server, options.health)
  const url = await server.listen({ port: options.port, host: options.host })
  return { url, close: () => server.close() }
}
