import { describe, expect, it } from '@jest/globals'
import type { Outcome } from '@barnabas/domain'
import { RefusedSetUp } from './redis-stream.connection.js'
import { outcomeOfRedisError } from './redis-stream.outcome.js'

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })

describe('outcomeOfRedisError', () => {
  it.each<[string, Outcome['kind'], Outcome['code']]>([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'retryable', 'throttled'],
    ['NOAUTH Authentication required.', 'permanent', 'credentials_rejected'],
    ['NOPERM this user has no permissions', 'permanent', 'credentials_rejected'],
    ['DENIED Redis is running in protected mode', 'permanent', 'credentials_rejected'],
    ['WRONGTYPE Operation against a key', 'permanent', 'target_not_found'],
    ['MOVED 1 127.0.0.1:1', 'permanent', 'invalid_settings'],
    ['LOADING Redis is loading the dataset in memory', 'retryable', 'target_failed'],
    ['MASTERDOWN Link with MASTER is down', 'retryable', 'target_failed'],
    ['READONLY You cannot write against a read only replica.', 'retryable', 'target_failed'],
    ['ERR something new', 'retryable', 'target_failed'],
    ['constructor', 'retryable', 'target_failed'],
  ])('takes the reply %j', (message, kind, code) => {
    expect(outcomeOfRedisError(reply(message))).toMatchObject({ kind, code })
  })

  it.each<[string, unknown, Outcome['code']]>([
    [
      'a login that needs no password',
      new RefusedSetUp('login', reply('ERR AUTH called')),
      'credentials_rejected',
    ],
    ['a login while loading', new RefusedSetUp('login', reply('LOADING')), 'target_failed'],
    ['a database that is not there', new RefusedSetUp('database', reply('ERR DB index')), 'target_not_found'],
    ['a login whose connection closed', new RefusedSetUp('login', new Error('closed')), 'connection_reset'],
    ['a connection that the client lost', new Error('closed'), 'connection_reset'],
    ['an error of the system', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'connection_refused'],
  ])('takes %s', (_name, error, code) => {
    expect(outcomeOfRedisError(error)).toMatchObject({ code })
  })
})
