import { SECOND } from '@barnabas/domain'
import { RecordTooLargeError } from './batching-producer.js'
import type { LogProducer, OutRecord, PartitionLease } from './ports.js'

/**
 * `written`: Kafka acknowledged. `too-large`: it never will. `lost`: the lease ended first, so whoever owns the
 * partition now does the work again and the caller must write nothing more for it.
 */
export type WriteResult = 'written' | 'too-large' | 'lost'

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 2 * SECOND

/**
 * Writes a record whatever it takes: while Kafka is away it tries again, until acknowledged or the lease ends.
 * For work whose result must not be lost and cannot be done a second time (a send that the target answered).
 */
export async function writeThrough(
  producer: LogProducer,
  record: OutRecord,
  lease: Pick<PartitionLease, 'signal'>,
): Promise<WriteResult> {
  for (let delayMs = FIRST_RETRY_MS; !lease.signal.aborted; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
    try {
      await producer.enqueue(record)
      return 'written'
    } catch (error) {
      if (error instanceof RecordTooLargeError) return 'too-large'
      await wait(delayMs)
    }
  }
  return 'lost'
}

const wait = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs))
