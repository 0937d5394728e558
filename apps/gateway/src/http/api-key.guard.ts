import { createHash, timingSafeEqual } from 'node:crypto'
import { SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { ApiError } from './api-error.js'

const OPEN = 'barnabas:open'

/** Marks a route that answers without a key. */
export const Open = () => SetMetadata(OPEN, true)

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Lets callers in who send the API key as a bearer token. Compares digests, so that timing tells nothing. */
export class ApiKeyGuard implements CanActivate {
  private readonly expected: Buffer

  constructor(apiKey: string) {
    this.expected = digest(apiKey)
  }

  canActivate(context: ExecutionContext): boolean {
    if (Reflect.getMetadata(OPEN, context.getHandler()) === true) return true
    const header = context.switchToHttp().getRequest<FastifyRequest>().headers.authorization ?? ''
    const [, token = ''] = /^Bearer +(\S+)$/i.exec(header) ?? []
    if (timingSafeEqual(digest(token), this.expected)) return true
    throw new ApiError(401, 'unauthorized', 'send the API key as "Authorization: Bearer <key>"', null, {
      'www-authenticate': 'Bearer',
    })
  }
}
