import type { LogProducer, OutRecord } from '@barnabas/kafka'

/** True when Kafka acknowledged the record within the time limit. False does not mean that it was not written. */
export async function isAcknowledged(
  producer: Pick<LogProducer, 'enqueue'>,
  record: OutRecord,
  timeoutMs: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const written = producer.enqueue(record).then(
    () => true,
    () => false,
  )
  const isWritten = await Promise.race([written, limit])
  clearTimeout(timer)
  return isWritten
}
