import { Problem } from '../problem.js'
import type { Received } from './demo-receiver.js'
import { screen } from './screen.js'
import { isSignatureValid } from './signature.js'

/** What the demo knows of a request. */
export interface Seen {
  readonly eventId: string
  readonly attempt: number
  readonly isSignatureValid: boolean
  readonly status: number
  readonly atMs: number
}

/** Shows each delivery as it arrives, and lets the story wait for them. */
export class Deliveries {
  readonly seen: Seen[] = []
  private readonly waiters = new Set<() => void>()
  private interruption: Problem | null = null

  constructor(private readonly secret: () => string) {}

  take({ headers, body, atMs, status }: Received): void {
    const header = (name: string): string => String(headers[name] ?? '')
    const seen: Seen = {
      eventId: header('x-barnabas-event-id'),
      attempt: Number(header('x-barnabas-attempt')),
      isSignatureValid: isSignatureValid(this.secret(), headers, body),
      status,
      atMs,
    }
    this.seen.push(seen)
    const waitedMs = atMs - Date.parse(header('x-barnabas-event-time'))
    const show = seen.isSignatureValid && status === 200 ? screen.good : screen.bad
    show(
      [
        String(this.seen.length).padStart(2),
        header('x-barnabas-topic').padEnd(14),
        header('x-barnabas-meta-via').padEnd(29),
        `attempt ${seen.attempt}`,
        `signature ${seen.isSignatureValid ? 'valid' : 'NOT VALID'}`,
        `${waitedMs} ms after the event`,
        ...(status === 200 ? [] : [`answered ${status}`]),
      ].join('  '),
    )
    for (const look of this.waiters) look()
  }

  /** Ends every wait, now and later, with a problem. */
  interrupt(problem: Problem): void {
    this.interruption = problem
    for (const look of this.waiters) look()
  }

  /** Resolves when `isEnough` holds; throws a sentence with `what` when it does not within the time. */
  async until(isEnough: (seen: readonly Seen[]) => boolean, timeoutMs: number, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        this.waiters.delete(look)
        settle()
      }
      const late = new Problem(`${what} did not arrive within ${timeoutMs / 1_000} s.`)
      const timer = setTimeout(() => end(() => reject(late)), timeoutMs)
      const look = (): void => {
        const { interruption } = this
        if (interruption) end(() => reject(interruption))
        else if (isEnough(this.seen)) end(resolve)
      }
      this.waiters.add(look)
      look()
    })
  }
}
