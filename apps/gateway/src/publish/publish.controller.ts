import { Body as RequestBody, Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common'
import { Metrics } from '@barnabas/telemetry'
import { ApiError, unavailable, validationFailed } from '../http/api-error.js'
import { parseBody } from '../http/body.js'
import { AcceptEvent, type Refusal } from './accept-event.js'

/** W3C Trace Context §3.2.2; what is not of this form is ignored, as the standard asks. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

@Controller('publish')
export class PublishController {
  constructor(
    @Inject(AcceptEvent) private readonly acceptEvent: AcceptEvent,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {
    metrics.count('events_accepted', 0)
  }

  @Post()
  @HttpCode(202)
  async publish(@RequestBody() bytes: Buffer | undefined, @Headers('traceparent') traceparent?: string) {
    try {
      const answer = await this.accept(bytes, traceparent)
      this.metrics.count('events_accepted', 1)
      return answer
    } catch (error) {
      const code = error instanceof ApiError ? error.code : 'internal_error'
      this.metrics.count('events_refused', 1, { code })
      throw error
    }
  }

  private async accept(bytes: Buffer | undefined, traceparent: string | undefined) {
    const trace = traceparent !== undefined && TRACEPARENT.test(traceparent) ? traceparent : null
    const accepted = await this.acceptEvent.accept(parseBody(bytes), trace)
    if (!accepted.ok) throw toApiError(accepted.failure)
    const { id, duplicate, destinationIds } = accepted.value
    return { id, duplicate, destination_ids: destinationIds }
  }
}

function toApiError(refusal: Refusal): ApiError {
  switch (refusal.kind) {
    case 'invalid':
      return validationFailed(refusal.problems)
    case 'too-large':
      return new ApiError(
        413,
        'event_too_large',
        `data has ${refusal.bytes} bytes, more than MAX_EVENT_BYTES allows`,
      )
    case 'unavailable':
      return unavailable('the event could not be stored durably; publish it again')
  }
}
