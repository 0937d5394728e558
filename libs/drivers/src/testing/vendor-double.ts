import { startReceiver, type Answer, type Received, type Receiver } from '@barnabas/testing'

/** How a vendor answers a request. */
export type Vendor = (request: Received) => Answer

/**
 * A vendor's HTTP API on loopback. It behaves as `vendor` says, keeps what it took (2xx), and can be slow or restarted
 * at the same address.
 */
export class VendorDouble {
  readonly taken: Received[] = []
  private receiver: Receiver | null = null
  private isSlow = false
  private next: Answer[] = []

  constructor(private readonly vendor: Vendor) {}

  /** Origin, without a path. */
  get url(): string {
    if (!this.receiver) throw new Error('not started')
    return new URL(this.receiver.url()).origin
  }

  async start(port = 0): Promise<void> {
    this.receiver = await startReceiver((request) => this.answer(request), port)
  }

  async stop(): Promise<void> {
    await this.receiver?.stop()
  }

  async restart(): Promise<void> {
    const port = Number(new URL(this.url).port)
    await this.stop()
    await this.start(port)
  }

  becomeSlow(): void {
    this.isSlow = true
  }

  becomeQuick(): void {
    this.isSlow = false
  }

  /** The next request gets this answer, whatever it holds. */
  answerNext(answer: Answer): void {
    this.next.push(answer)
  }

  private answer(request: Received): Answer {
    if (this.isSlow) return { kind: 'hang' }
    const answer = this.next.shift() ?? this.vendor(request)
    const isTaken = 'status' in answer && answer.status < 300
    if (isTaken) this.taken.push(request)
    return answer
  }
}
