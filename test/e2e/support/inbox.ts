import { startReceiver, type Received, type Receiver } from '@barnabas/testing'

/** A delivery as it came in, and the status that it was answered with. */
export interface Arrival {
  readonly eventId: string
  readonly deliveryId: string
  readonly attempt: number
  readonly headers: Received['headers']
  readonly body: Buffer
  readonly atMs: number
  readonly status: number
}

/** Status of the answer to a delivery, by what came and how many came before it. */
export type AnswerRule = (arrival: Omit<Arrival, 'status'>, earlier: number) => number

/** A customer's endpoint: keeps what arrives and answers by rule. */
export class Inbox {
  readonly arrivals: Arrival[] = []
  /** How long answers take from now on, milliseconds. */
  delayMs = 0

  private constructor(private readonly receiver: Receiver) {}

  static async open(rule: AnswerRule = () => 200): Promise<Inbox> {
    const receiver = await startReceiver()
    const inbox = new Inbox(receiver)
    receiver.answerBy((received) => {
      const status = inbox.take(received, rule)
      return {
        status,
        delayMs: inbox.delayMs,
        headers: { 'content-type': 'text/plain' },
        body: `answer ${status}`,
      }
    })
    return inbox
  }

  get url(): string {
    return this.receiver.url('/hook')
  }

  of(eventId: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.eventId === eventId)
  }

  close(): Promise<void> {
    return this.receiver.stop()
  }

  private take({ headers, body, atMs }: Received, rule: AnswerRule): number {
    const arrived = {
      eventId: String(headers['x-barnabas-event-id']),
      deliveryId: String(headers['x-barnabas-delivery-id']),
      attempt: Number(headers['x-barnabas-attempt']),
      headers,
      body,
      atMs,
    }
    const status = rule(arrived, this.arrivals.length)
    this.arrivals.push({ ...arrived, status })
    return status
  }
}

/** Answers with the given statuses in turn, and with the last one from then on. */
export const inTurn =
  (...statuses: readonly number[]): AnswerRule =>
  (_arrival, earlier) =>
    statuses[Math.min(earlier, statuses.length - 1)] ?? 200
