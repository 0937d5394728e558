import type { Outcome, Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import type { AwsClient } from './aws-client.js'
import { Batcher, type BatcherOptions, type BatchResult } from './batcher.js'
import { outcomeOfEntry } from './aws-outcome.js'

/** One entry of a request, and its size as the target counts it. */
export interface Sized<Entry> {
  readonly entry: Entry
  readonly bytes: number
}

export interface BatchSenderOptions<Entry, Client extends { destroy(): void }> extends Omit<
  BatcherOptions<Entry>,
  'send'
> {
  readonly client: AwsClient<Client>
  /** Pure. The failure is the outcome of an event that cannot be sent as it is. */
  readonly entryOf: (event: OutgoingEvent, attempt: AttemptInfo) => Result<Sized<Entry>, Outcome>
  /** One call of the service: rejects with the SDK's error when it failed whole. */
  readonly call: (
    client: Client,
    entries: readonly Entry[],
    signal: AbortSignal,
  ) => Promise<readonly (Outcome | undefined)[]>
}

/** Sends events in calls that take several. */
export class BatchSender<Entry, Client extends { destroy(): void }> implements Sender {
  private readonly batcher: Batcher<Entry>

  constructor(private readonly options: BatchSenderOptions<Entry, Client>) {
    this.batcher = new Batcher({ ...options, send: (entries, signal) => this.call(entries, signal) })
  }

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const made = this.options.entryOf(event, attempt)
    if (!made.ok) return Promise.resolve(made.failure)
    return this.batcher.submit(made.value.entry, made.value.bytes, signal)
  }

  async close(): Promise<void> {
    await this.batcher.close()
    this.options.client.destroy()
  }

  private async call(entries: readonly Entry[], signal: AbortSignal): Promise<BatchResult> {
    // Not in the try: a client that cannot be made is a bug of ours.
    const client = await this.options.client.ready(signal)
    if (!client.ok) return { kind: 'all', outcome: client.failure }
    try {
      return { kind: 'each', outcomes: await this.options.call(client.value, entries, signal) }
    } catch (error) {
      return { kind: 'all', outcome: this.options.client.outcomeOf(error) }
    }
  }
}

/** An entry of SQS's and SNS's answers. Ids are the entries' places in the request. */
interface EntryResult {
  readonly Id?: string | undefined
  readonly Code?: string | undefined
  readonly SenderFault?: boolean | undefined
}

/** Outcomes by place of an answer that names entries by id. */
export function outcomesById(
  count: number,
  delivered: Outcome,
  answer: { readonly Successful?: readonly EntryResult[]; readonly Failed?: readonly EntryResult[] },
): (Outcome | undefined)[] {
  const outcomes = Array.from<Outcome | undefined>({ length: count })
  for (const { Id } of answer.Successful ?? []) outcomes[placeOf(Id, count)] = delivered
  for (const { Id, Code = '', SenderFault = false } of answer.Failed ?? [])
    outcomes[placeOf(Id, count)] = outcomeOfEntry(Code, SenderFault)
  return outcomes.slice(0, count)
}

/** What names no entry lands behind the last one, and is cut off. */
function placeOf(id: string | undefined, count: number): number {
  const place = Number(id)
  return Number.isInteger(place) && place >= 0 && place < count ? place : count
}
