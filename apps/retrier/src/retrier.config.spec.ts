import { describe, expect, it } from '@jest/globals'
import { checkDatabase } from './retrier.config.js'

describe('the database of the retrier', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])(
    'may be missing on one machine (%s)',
    (LISTEN_HOST) => {
      expect(checkDatabase({ DATABASE_URL: null, LISTEN_HOST })).toBeNull()
    },
  )

  it('must be named where others can reach the process, and the sentence tells what would happen', () => {
    expect(checkDatabase({ DATABASE_URL: null, LISTEN_HOST: '0.0.0.0' })).toContain('redrives would wait')
    expect(checkDatabase({ DATABASE_URL: 'postgres://h/d', LISTEN_HOST: '0.0.0.0' })).toBeNull()
  })
})
