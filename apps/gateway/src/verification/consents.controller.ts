import { Controller, Get, Head, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DestinationsService } from '../destinations/destinations.service.js'
import { Open } from '../http/api-key.guard.js'

const THANKS = 'Thank you. Events may be sent now; you can close this page.\n'

/** The address is a secret: no cache keeps what it answered, and no page that is opened next is told of it. */
const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/**
 * Where targets consent that were told to call back: open, for the secret in the path is the key. What stands behind
 * the address is never told. The path ends in a wildcard, for a parameter has no more than 100 characters.
 */
@Controller('consents')
export class ConsentsController {
  constructor(@Inject(DestinationsService) private readonly destinations: DestinationsService) {}

  /** Of its own, or it would be answered as GET is: whoever looks whether an address exists has not consented. */
  @Open()
  @Head('*')
  look(@Res() reply: FastifyReply) {
    void reply.status(405).headers(HEADERS).header('allow', 'GET, POST').send()
  }

  /** For people with a browser. */
  @Open()
  @Get('*')
  byHand(@Param('*') secret: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.consent(secret, request, reply)
  }

  @Open()
  @Post('*')
  @HttpCode(200)
  byProgram(@Param('*') secret: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.consent(secret, request, reply)
  }

  private async consent(secret: string, { headers }: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Ahead of what may throw: an error is answered with them too.
    void reply.headers(HEADERS)
    await this.destinations.callBack(secret, headers)
    void reply.type('text/plain; charset=utf-8').send(THANKS)
  }
}
