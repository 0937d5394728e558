import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { toError } from '@barnabas/domain'
import { isTextRefused, isUnavailable } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { ApiError, notFound, unavailable, validationFailed } from './api-error.js'

/** Answers every failure in the contract's form `{ status, message, data }`, with our `code`. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>()
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    answer(this.toApiError(thrown, request), reply)
  }

  toApiError(thrown: unknown, request: FastifyRequest): ApiError {
    if (thrown instanceof ApiError) return thrown
    if (isUnavailable(thrown)) return unavailable('the database cannot be reached; try again')
    if (isTextRefused(thrown)) return validationFailed([{ path: 'request', message: 'must not hold NUL' }])
    const fromFramework = frameworkError(thrown, request)
    if (fromFramework) return fromFramework
    const fields = {
      err: toError(thrown),
      request_id: request.id,
      method: request.method,
      route: routeOf(request),
    }
    this.log.error(fields, 'request.failed')
    return new ApiError(500, 'internal_error', 'internal error', { request_id: request.id })
  }
}

export function answer(error: ApiError, reply: FastifyReply): void {
  const { status, message, data, code, headers } = error
  void reply.status(status).headers(headers).send({ status, message, data, code })
}

/** The route's pattern, never the URL: that may hold what is not to be logged. */
const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'unknown'

/** What Nest and Fastify refuse by themselves: unknown routes, bodies too large or of a wrong media type. */
function frameworkError(thrown: unknown, { routeOptions }: FastifyRequest): ApiError | null {
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusCodeOf(thrown)
  switch (status) {
    case 400:
      return new ApiError(400, 'invalid_json', toError(thrown).message)
    case 404:
      return notFound('route')
    case 413:
      return new ApiError(
        413,
        'event_too_large',
        `the body must have at most ${routeOptions.bodyLimit} bytes`,
      )
    case 415:
      return new ApiError(415, 'validation_failed', 'the content type must be application/json')
    default:
      return null
  }
}

function statusCodeOf(thrown: unknown): number {
  return typeof thrown === 'object' && thrown !== null && 'statusCode' in thrown
    ? Number(thrown.statusCode)
    : 0
}
