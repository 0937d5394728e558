import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import { uniqueName } from '@barnabas/testing'
import { Customers } from '../support/customers.js'
import { inTurn } from '../support/inbox.js'
import type { Stack } from '../support/stack.js'
import { untilPasses } from '../support/until-passes.js'

const ROOT = new URL('../../../', import.meta.url)
const TEST_TIMEOUT_MS = 60_000

/** The program that docs/dead-letters.md shows. */
function example(): string {
  const document = readFileSync(new URL('docs/dead-letters.md', ROOT), 'utf8')
  const [, code] = /```js\n(.*?)```/s.exec(document) ?? []
  if (code === undefined) throw new Error('docs/dead-letters.md shows no program')
  return code
}

export function describeDeadLetterDocument(stack: () => Stack): void {
  describe('the program in docs/dead-letters.md', () => {
    const customers = new Customers(stack)
    afterEach(() => customers.leave())

    it(
      'prints dead letters with their payloads, with a stock client',
      async () => {
        const customer = await customers.register()
        const { id: destination } = await customer.subscribe({ answer: inTurn(503) })
        const { id: event } = await customer.publish({ eligible_for_retry: false, data: { amount: 7 } })
        const env = {
          PATH: '',
          KAFKA_BROKERS: stack().kafkaBrokers,
          KAFKA_TOPIC_PREFIX: stack().kafkaTopic(''),
          GROUP: uniqueName('document'),
        }
        const program = spawn(process.execPath, ['--input-type=module'], { cwd: ROOT, env })
        let printed = ''
        program.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
        program.stdin.end(example())
        try {
          const line = await untilPasses(() => {
            const lines = printed.split('\n').filter((text) => text.includes(event))
            expect(lines).toHaveLength(1)
            return lines[0] ?? ''
          })
          expect(JSON.parse(line)).toEqual({
            tenant: customer.id,
            destination,
            event,
            topic: 'order.paid',
            delivery: expect.stringMatching(/^dlv_/),
            code: 'http_503',
            at: expect.stringMatching(/^\d{4}-/),
            payload: '{"amount":7}',
          })
        } finally {
          const ended = once(program, 'exit')
          program.kill('SIGKILL')
          await ended
        }
      },
      TEST_TIMEOUT_MS,
    )
  })
}
