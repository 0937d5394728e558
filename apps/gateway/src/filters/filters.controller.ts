import { Body as RequestBody, Controller, HttpCode, Inject, Post, Query } from '@nestjs/common'
import { parseBody } from '../http/body.js'
import type { RawQuery } from '../http/query.js'
import { FiltersService } from './filters.service.js'

@Controller('filters')
export class FiltersController {
  constructor(@Inject(FiltersService) private readonly filters: FiltersService) {}

  @Post('test')
  @HttpCode(200)
  test(@RequestBody() bytes: Buffer | undefined, @Query() query: RawQuery) {
    return this.filters.test(parseBody(bytes).json, query)
  }
}
