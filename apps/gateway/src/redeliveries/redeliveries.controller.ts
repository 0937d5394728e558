import { Body as RequestBody, Controller, HttpCode, Inject, Post } from '@nestjs/common'
import { parseBody } from '../http/body.js'
import { RedeliverService } from './redeliver.service.js'
import { readRetry } from './retry-input.js'

@Controller('retry')
export class RedeliveriesController {
  constructor(@Inject(RedeliverService) private readonly redeliver: RedeliverService) {}

  @Post()
  @HttpCode(202)
  async retry(@RequestBody() bytes: Buffer | undefined) {
    const { id, run, attempt } = await this.redeliver.retry(readRetry(parseBody(bytes).json))
    return { success: true, delivery_id: id, run, attempt }
  }
}
