import { Body as RequestBody, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common'
import { parseBody } from '../http/body.js'
import type { RawQuery } from '../http/query.js'
import { RedrivesService } from './redrives.service.js'

@Controller('redrives')
export class RedrivesController {
  constructor(@Inject(RedrivesService) private readonly redrives: RedrivesService) {}

  @Post()
  create(@RequestBody() bytes: Buffer | undefined) {
    return this.redrives.create(parseBody(bytes).json)
  }

  @Get()
  list(@Query() query: RawQuery) {
    return this.redrives.list(query)
  }

  @Get(':id')
  get(@Param('id') id: string) {
    return this.redrives.get(id)
  }

  @Post(':id/start')
  @HttpCode(202)
  start(@Param('id') id: string) {
    return this.redrives.start(id)
  }

  @Post(':id/cancel')
  @HttpCode(202)
  cancel(@Param('id') id: string) {
    return this.redrives.cancel(id)
  }
}
