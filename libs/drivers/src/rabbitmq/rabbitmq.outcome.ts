import type { Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError } from '../outcomes.js'
import { ReplyError } from './rabbitmq.client.js'

/** Reply codes of AMQP 0-9-1 §1.2, as RabbitMQ uses them. */
export const REPLY = {
  connectionForced: 320,
  invalidPath: 402,
  accessRefused: 403,
  notFound: 404,
  preconditionFailed: 406,
  resourceError: 506,
  notAllowed: 530,
  internalError: 541,
} as const

/** Why no connection could be opened. RabbitMQ says 530 for a missing vhost and for one that the user may not enter. */
export function outcomeOfOpening(error: unknown): Outcome {
  if (!(error instanceof ReplyError)) return outcomeOfError(error)
  switch (error.replyCode) {
    case REPLY.accessRefused:
      return failedWith('credentials_rejected')
    case REPLY.invalidPath:
    case REPLY.notAllowed:
      return failedWith(
        'target_not_found',
        'The virtual host does not exist, the user has no permission for it, or it takes no more connections.',
      )
    default:
      return outcomeOfReply(error.replyCode)
  }
}

/** Why the broker closed the channel or the connection while messages were under way. Undefined: it just broke. */
export function outcomeOfReply(replyCode: number | undefined): Outcome {
  switch (replyCode) {
    case undefined:
    case REPLY.connectionForced:
    // A message that is too large closes the channel for all others too; who that was is not this function's to know.
    case REPLY.preconditionFailed:
      return failedWith(
        'connection_reset',
        'The broker closed the connection before it confirmed the message.',
      )
    case REPLY.accessRefused:
      return failedWith('credentials_rejected', 'The user may not write to the exchange.')
    case REPLY.notFound:
      return failedWith('target_not_found', 'The exchange does not exist.')
    case REPLY.resourceError:
    case REPLY.internalError:
      return failedWith('target_failed')
    default:
      return failedWith('protocol_error')
  }
}
