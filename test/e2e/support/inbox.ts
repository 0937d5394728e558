import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came in. */
export interface Arrival {
  readonly eventId: string
  readonly deliveryId: string
  readonly attempt: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly atMs: number
  readonly status: number
}

/** Status of the answer to a request, by what came and how many came before it. */
export type AnswerRule = (arrival: Omit<Arrival, 'status'>, earlier: number) => number

/** A customer's endpoint: keeps what arrives and answers by rule. */
export class Inbox {
  readonly arrivals: Arrival[] = []
  private readonly server: Server

  private constructor(private rule: AnswerRule) {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const arrived = this.read(request.headers, Buffer.concat(chunks))
        const status = this.rule(arrived, this.arrivals.length)
        this.arrivals.push({ ...arrived, status })
        response.writeHead(status, { 'content-type': 'text/plain' }).end(`answer ${status}`)
      })
    })
  }

  static async open(rule: AnswerRule = () => 200): Promise<Inbox> {
    const inbox = new Inbox(rule)
    await new Promise<void>((resolve) => inbox.server.listen(0, '127.0.0.1', resolve))
    return inbox
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`
  }

  answerBy(rule: AnswerRule): void {
    this.rule = rule
  }

  of(eventId: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.eventId === eventId)
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private read(headers: IncomingHttpHeaders, body: Buffer): Omit<Arrival, 'status'> {
    return {
      eventId: String(headers['x-barnabas-event-id']),
      deliveryId: String(headers['x-barnabas-delivery-id']),
      attempt: Number(headers['x-barnabas-attempt']),
      headers,
      body,
      atMs: Date.now(),
    }
  }
}

/** Answers with the given statuses in turn, and with the last one from then on. */
export const inTurn =
  (...statuses: readonly number[]): AnswerRule =>
  (_arrival, earlier) =>
    statuses[Math.min(earlier, statuses.length - 1)] ?? 200
