import { describe, expect, it } from '@jest/globals'
import { ReplyError } from './rabbitmq.client.js'
import { outcomeOfOpening, outcomeOfReply } from './rabbitmq.outcome.js'

const connectionRefused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })

describe('what the broker replies', () => {
  it.each([
    ['a wrong password', new ReplyError(403), 'permanent', 'credentials_rejected'],
    ['a virtual host that is not there', new ReplyError(530), 'permanent', 'target_not_found'],
    ['the same as the standard has it', new ReplyError(402), 'permanent', 'target_not_found'],
    ['that it is shutting down', new ReplyError(320), 'retryable', 'connection_reset'],
    ['that it failed', new ReplyError(541), 'retryable', 'target_failed'],
    ['that it did not understand', new ReplyError(503), 'retryable', 'protocol_error'],
    ['nothing, as nobody listens', connectionRefused, 'retryable', 'connection_refused'],
    ['nothing that is known', new Error('403'), 'retryable', 'connection_failed'],
  ] as const)('to a handshake: %s', (_case, error, kind, code) => {
    expect(outcomeOfOpening(error)).toMatchObject({ kind, code })
  })

  it.each([
    ['no exchange', 404, 'permanent', 'target_not_found'],
    ['no permission', 403, 'permanent', 'credentials_rejected'],
    ['a message was too large, of somebody', 406, 'retryable', 'connection_reset'],
    ['no resources', 506, 'retryable', 'target_failed'],
    ['nothing at all', undefined, 'retryable', 'connection_reset'],
    ['a bad frame', 501, 'retryable', 'protocol_error'],
  ] as const)('to a message: %s', (_case, replyCode, kind, code) => {
    expect(outcomeOfReply(replyCode)).toMatchObject({ kind, code })
  })
})
