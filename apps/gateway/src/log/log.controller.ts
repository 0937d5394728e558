import { Controller, Get, Inject, Param, Query } from '@nestjs/common'
import type { RawQuery } from '../http/query.js'
import { LogService } from './log.service.js'

@Controller()
export class LogController {
  constructor(@Inject(LogService) private readonly log: LogService) {}

  @Get('events')
  listEvents(@Query() query: RawQuery) {
    return this.log.listEvents(query)
  }

  @Get('events/:id')
  getEvent(@Param('id') id: string, @Query() query: RawQuery) {
    return this.log.getEvent(id, query)
  }

  @Get('attempts')
  listAttempts(@Query() query: RawQuery) {
    return this.log.listAttempts(query)
  }

  @Get('attempts/:id')
  getAttempt(@Param('id') id: string, @Query() query: RawQuery) {
    return this.log.getAttempt(id, query)
  }

  @Get('dead-letters')
  listDeadLetters(@Query() query: RawQuery) {
    return this.log.listDeadLetters(query)
  }
}
