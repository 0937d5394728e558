import type { Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfAbort } from '../outcomes.js'
import { afterReady } from '../turns.js'

/**
 * What became of one request: an outcome for each entry in the order given, or one for all of them.
 * `undefined` in the place of an entry: the target did not say.
 */
export type BatchResult =
  | { readonly kind: 'each'; readonly outcomes: readonly (Outcome | undefined)[] }
  | { readonly kind: 'all'; readonly outcome: Outcome }

export interface BatcherOptions<Entry> {
  /** Entries that one request may hold. */
  readonly maxEntries: number
  /** Bytes that one request may hold; an entry that is larger by itself goes alone. */
  readonly maxBytes: number
  /** Requests side by side; 1 where the order of submission is to be kept. */
  readonly maxRequests: number
  /** Rejects only for bugs. `signal` aborts when nobody waits for any of the entries any more. */
  readonly send: (entries: readonly Entry[], signal: AbortSignal) => Promise<BatchResult>
}

interface Waiting<Entry> {
  readonly entry: Entry
  readonly bytes: number
  /** Resolves the promise of the submission; the first call counts. */
  readonly settle: (outcome: Outcome) => void
  readonly fail: (error: Error) => void
  isSettled: boolean
  /** Called when the submission's own signal aborts. */
  onAbort: () => void
}

/** What one entry can cause for all of its request. */
const MAY_BE_ONE_ENTRY = new Set<Outcome['code']>(['event_refused', 'payload_too_large'])

/**
 * Gathers entries into requests without letting any of them wait for others to come:
 *
 * - nothing under way → what was submitted in this turn goes at once;
 * - something under way → a full request goes at once while fewer than `maxRequests` are, the rest is gathered until
 *   one of them ends, together with what follows from its outcomes.
 *
 * Invariants: every submission gets exactly one outcome; an entry is in one request at a time; entries leave in the
 * order in which they came. A request that is refused whole for what one of its entries may hold is repeated entry by
 * entry, so that none ends for what another one holds.
 */
export class Batcher<Entry> {
  private queue: Waiting<Entry>[] = []
  private requests = 0
  private isFlushPlanned = false
  private closing: Promise<void> | null = null
  private onIdle: () => void = () => undefined

  constructor(private readonly options: BatcherOptions<Entry>) {}

  /** Resolves to the entry's outcome, or as soon as `signal` aborts. `bytes`: what it takes of a request. */
  submit(entry: Entry, bytes: number, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return Promise.resolve(outcomeOfAbort(signal.reason))
    if (this.closing) return Promise.resolve(failedWith('aborted'))
    return new Promise((resolve, reject) => {
      const end = (finish: () => void): void => {
        if (waiting.isSettled) return
        waiting.isSettled = true
        signal.removeEventListener('abort', onAbort)
        finish()
      }
      const onAbort = (): void => {
        waiting.settle(outcomeOfAbort(signal.reason))
        waiting.onAbort()
      }
      const waiting: Waiting<Entry> = {
        entry,
        bytes,
        isSettled: false,
        settle: (outcome) => end(() => resolve(outcome)),
        fail: (error) => end(() => reject(error)),
        onAbort: () => (this.queue = this.queue.filter((one) => one !== waiting)),
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.queue.push(waiting)
      this.planFlush()
    })
  }

  /** Ends when every submission has its outcome and no request is under way. Later ones are not taken. */
  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      this.onIdle = () => {
        if (this.requests === 0 && this.queue.length === 0) resolve()
      }
      this.onIdle()
    })
    return this.closing
  }

  /** At the end of this turn: sends that begin together go together. */
  private planFlush(): void {
    if (this.isFlushPlanned) return
    this.isFlushPlanned = true
    void afterReady().then(() => {
      this.isFlushPlanned = false
      this.flush()
      this.onIdle()
    })
  }

  private flush(): void {
    while (this.queue.length > 0 && this.requests < this.options.maxRequests) {
      const batch = this.firstBatch()
      const isFull = batch.length < this.queue.length || batch.length === this.options.maxEntries
      if (this.requests > 0 && !isFull) return
      this.queue = this.queue.slice(batch.length)
      this.requests++
      void this.run(batch).finally(() => {
        this.requests--
        this.planFlush()
        this.onIdle()
      })
    }
  }

  private firstBatch(): Waiting<Entry>[] {
    const { maxEntries, maxBytes } = this.options
    let bytes = 0
    let count = 0
    for (const one of this.queue) {
      bytes += one.bytes
      if (count === maxEntries || (count > 0 && bytes > maxBytes)) break
      count++
    }
    return this.queue.slice(0, count)
  }

  /** Never rejects. */
  private async run(batch: readonly Waiting<Entry>[]): Promise<void> {
    const abort = new AbortController()
    for (const one of batch) {
      one.onAbort = () => {
        if (batch.every(({ isSettled }) => isSettled)) abort.abort()
      }
    }
    const entries = batch.map(({ entry }) => entry)
    try {
      const result = await this.options.send(entries, abort.signal)
      if (result.kind === 'all' && batch.length > 1 && MAY_BE_ONE_ENTRY.has(result.outcome.code)) {
        for (const one of batch) if (!one.isSettled) await this.run([one])
        return
      }
      batch.forEach((one, index) => one.settle(outcomeAt(result, index)))
    } catch (error) {
      for (const one of batch) one.fail(error as Error)
    }
  }
}

const outcomeAt = (result: BatchResult, index: number): Outcome =>
  (result.kind === 'all' ? result.outcome : result.outcomes[index]) ?? failedWith('protocol_error')
