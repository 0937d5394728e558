import { Controller, Get, Inject, Param, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { drivers, findDriver } from '@barnabas/drivers'
import { Health } from '@barnabas/telemetry'
import { Open } from './http/api-key.guard.js'
import { notFound } from './http/api-error.js'

/** Injection token: topics that may be published to; empty = any. */
export const TOPICS = Symbol('topics')

/** An icon changes with a release at most. */
const ICON_MAX_AGE_SECONDS = 3_600

/** What callers can look up without a tenant. */
@Controller()
export class ReferenceController {
  constructor(
    @Inject(TOPICS) private readonly topics: readonly string[],
    @Inject(Health) private readonly health: Health,
  ) {}

  @Get('destination-types')
  listTypes() {
    return drivers.map(({ catalogue }) => catalogue)
  }

  @Get('destination-types/:type')
  getType(@Param('type') type: string) {
    const driver = findDriver(type)
    if (!driver) throw notFound('destination type')
    return driver.catalogue
  }

  /** Open, for a browser loads images without our key; as an image file, for SVG in a page could hold scripts. */
  @Open()
  @Get('destination-types/:type/icon.svg')
  getIcon(@Param('type') type: string, @Res() reply: FastifyReply) {
    const driver = findDriver(type)
    if (!driver) throw notFound('destination type')
    void reply
      .headers({
        'content-type': 'image/svg+xml',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        'x-content-type-options': 'nosniff',
        'cache-control': `public, max-age=${ICON_MAX_AGE_SECONDS}`,
      })
      .send(driver.catalogue.icon)
  }

  @Get('topics')
  listTopics() {
    return this.topics
  }

  @Open()
  @Get('healthz')
  async healthz(@Res({ passthrough: true }) reply: FastifyReply) {
    const { status, checks } = await this.health.ask('worker')
    void reply.status(status === 'ok' ? 200 : 503)
    const workers = Object.entries(checks).map(([name, state]) => [name, { status: wordOf(state) }])
    return {
      status: wordOf(status),
      timestamp: new Date().toISOString(),
      workers: Object.fromEntries(workers) as object,
    }
  }
}

/** The contract's words. */
const wordOf = (state: 'ok' | 'failing'): string => (state === 'ok' ? 'healthy' : 'failed')
