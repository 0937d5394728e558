import { createHmac, timingSafeEqual } from 'node:crypto'
import { startReceiver, type Answer, type Received, type Receiver } from '@barnabas/testing'

/**
 * What Hookdeck promises, on loopback: it takes events whose signature is right for their source, and tells whether a
 * token is one of its. It keeps its own account of both, by the contract and not by our code.
 */
export class HookdeckDouble {
  readonly tokens: Map<string, string>
  /** Requests that were taken. */
  readonly taken: Received[] = []
  isSlow = false
  disabledAt: string | null = null
  /** In place of what it would answer. */
  answer: Answer | null = null
  private receiver: Receiver | null = null
  private port = 0

  /** `tokens`: source id → token. */
  constructor(tokens: Readonly<Record<string, string>>) {
    this.tokens = new Map(Object.entries(tokens))
  }

  async start(): Promise<void> {
    this.receiver = await startReceiver((request) => this.reply(request), this.port)
    this.port = Number(new URL(this.receiver.url()).port)
  }

  async stop(): Promise<void> {
    await this.receiver?.stop()
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private reply(request: Received): Answer {
    if (this.isSlow) return { kind: 'hang' }
    if (this.answer) return this.answer
    return request.method === 'GET' ? this.verify(request) : this.take(request)
  }

  private take(request: Received): Answer {
    const token = this.tokens.get(request.path.slice('/'.length))
    if (request.method !== 'POST' || token === undefined) return { status: 404 }
    const expected = Buffer.from(`v0=${createHmac('sha256', token).update(request.body).digest('base64')}`)
    const given = Buffer.from(String(request.headers['x-hookdeck-signature'] ?? ''))
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { status: 401 }
    this.taken.push(request)
    return { status: 200, body: '{"status":"SUCCESS"}' }
  }

  private verify({ path, headers }: Received): Answer {
    const [, id = ''] = /^\/2025-01-01\/sources\/([^/]+)\/managed\/verify$/.exec(path) ?? []
    const token = this.tokens.get(id)
    if (token === undefined) return { status: 404, body: '{"code":"NOT_FOUND"}' }
    if (headers['x-hookdeck-source-token'] !== token) return { status: 401, body: '{"code":"UNAUTHORIZED"}' }
    const source = {
      id,
      name: 'events',
      url: `https://events.hookdeck.com/e/${id}`,
      disabled_at: this.disabledAt,
    }
    return { status: 200, body: JSON.stringify(source) }
  }
}
