import { Controller, Delete, Get, Inject, Param, Put, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import type { SwitchRow } from '@barnabas/storage'
import { PROPAGATED_HEADER } from '../catalog/propagation.js'
import { SwitchesService } from './switches.service.js'

@Controller('switches')
export class SwitchesController {
  constructor(@Inject(SwitchesService) private readonly switches: SwitchesService) {}

  @Get()
  async list() {
    return (await this.switches.list()).map(switchJson)
  }

  @Put(':name/:subject')
  async on(
    @Param('name') name: string,
    @Param('subject') subject: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { value, isPropagated } = await this.switches.on(name, subject)
    void reply.header(PROPAGATED_HEADER, String(isPropagated))
    return switchJson(value)
  }

  @Delete(':name/:subject')
  async off(
    @Param('name') name: string,
    @Param('subject') subject: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { isPropagated } = await this.switches.off(name, subject)
    void reply.header(PROPAGATED_HEADER, String(isPropagated))
    return { success: true }
  }
}

const switchJson = ({ name, subject, onSince }: SwitchRow) => ({ name, subject, on_since: onSince })
