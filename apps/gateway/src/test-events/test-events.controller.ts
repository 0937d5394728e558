import { Body as RequestBody, Controller, Inject, Param, Post, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { parseBody } from '../http/body.js'
import { attemptJson, responseJson } from '../log/log-json.js'
import { TestEventsService } from './test-events.service.js'

const OK = 200
const ACCEPTED = 202

@Controller('tenants/:tenantId/destinations/:id/test')
export class TestEventsController {
  constructor(@Inject(TestEventsService) private readonly tests: TestEventsService) {}

  /** 200 with the attempt, whatever its outcome; 202 when none was made in time. */
  @Post()
  async send(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @RequestBody() bytes: Buffer | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { delivery, attempt } = await this.tests.send(tenantId, id, parseBody(bytes))
    void reply.status(attempt ? OK : ACCEPTED)
    return {
      event_id: delivery.event.id,
      delivery_id: delivery.id,
      attempt: attempt && { ...attemptJson(attempt), response_data: responseJson(attempt) },
    }
  }
}
