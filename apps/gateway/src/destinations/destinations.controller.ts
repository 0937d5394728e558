import {
  Body as RequestBody,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Res,
} from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { PROPAGATED_HEADER } from '../catalog/propagation.js'
import { parseBody } from '../http/body.js'
import { valuesOf, type RawQuery } from '../http/query.js'
import type { Propagated } from '../tenants/tenants.service.js'
import { DestinationsService } from './destinations.service.js'

@Controller('tenants/:tenantId/destinations')
export class DestinationsController {
  constructor(@Inject(DestinationsService) private readonly destinations: DestinationsService) {}

  @Post()
  async create(
    @Param('tenantId') tenantId: string,
    @RequestBody() bytes: Buffer | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return told(reply, await this.destinations.create(tenantId, parseBody(bytes).json))
  }

  @Get()
  list(@Param('tenantId') tenantId: string, @Query() query: RawQuery) {
    return this.destinations.list(tenantId, {
      types: valuesOf(query, 'type'),
      topics: valuesOf(query, 'topics'),
    })
  }

  @Get(':id')
  get(@Param('tenantId') tenantId: string, @Param('id') id: string) {
    return this.destinations.get(tenantId, id)
  }

  @Patch(':id')
  async patch(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @RequestBody() bytes: Buffer | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return told(reply, await this.destinations.patch(tenantId, id, parseBody(bytes).json))
  }

  @Put(':id/enable')
  async enable(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return told(reply, await this.destinations.enable(tenantId, id))
  }

  @Post(':id/verify')
  @HttpCode(200)
  async verify(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return told(reply, await this.destinations.verify(tenantId, id))
  }

  @Put(':id/disable')
  async disable(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return told(reply, await this.destinations.disable(tenantId, id))
  }

  @Delete(':id')
  async delete(
    @Param('tenantId') tenantId: string,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    told(reply, await this.destinations.delete(tenantId, id))
    return { success: true }
  }
}

function told<Value>(reply: FastifyReply, { value, isPropagated }: Propagated<Value>): Value {
  void reply.header(PROPAGATED_HEADER, String(isPropagated))
  return value
}
