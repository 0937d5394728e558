import type { FastifyInstance } from 'fastify'
import { SECOND } from '@barnabas/domain'
import type { Metrics } from '@barnabas/telemetry'

/** Times every request by its route's pattern; what meets no route is `unknown`, whatever was asked for. */
export function measureRequests(server: FastifyInstance, metrics: Metrics): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { url: route } = request.routeOptions
    // A method that no route has is the caller's text, and would make series of its own.
    const method = route === undefined ? 'unknown' : request.method
    const status_class = `${Math.floor(reply.statusCode / 100)}xx`
    metrics.observe('http_request_duration', reply.elapsedTime / SECOND, {
      method,
      route: route ?? 'unknown',
      status_class,
    })
    done()
  })
}
