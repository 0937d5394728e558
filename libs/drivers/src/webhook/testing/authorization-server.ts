import { startReceiver, type Answer, type Received, type Receiver } from '@barnabas/testing'

/** As long as a token request of a test takes: time for others to come. */
const ANSWER_AFTER_MS = 20

/** An OAuth 2 server and what its tokens open: clients come by their secrets, and tokens can be revoked. */
export class AuthorizationServer {
  /** What the target took. */
  readonly taken: Received[] = []
  private readonly valid = new Map<string, string>()
  private secrets = new Set<string>()
  private server: Receiver | null = null
  private target: Receiver | null = null
  private readonly asking = new Map<string, number>()
  private tokens = 0
  /** The most requests for a token of one secret that were under way at a time. */
  mostAsking = 0
  /** Members of the answer besides the token. */
  more: Readonly<Record<string, unknown>> = { expires_in: 3_600 }

  async start(secrets: readonly string[]): Promise<void> {
    this.secrets = new Set(secrets)
    this.server = await startReceiver((request) => this.give(request))
    this.target = await startReceiver((request) => {
      if (!this.valid.has(String(request.headers.authorization))) return { status: 401 }
      this.taken.push(request)
      return { status: 200 }
    })
  }

  async stop(): Promise<void> {
    await Promise.all([this.server?.stop(), this.target?.stop()])
  }

  /** How often a token was asked for. */
  get asked(): number {
    return this.server?.received.length ?? 0
  }

  /** What the target was asked, refused requests included. */
  get requests(): readonly Received[] {
    return this.target?.received ?? []
  }

  settingsOf(secret: string) {
    return {
      config: {
        url: this.target?.url() ?? '',
        auth: 'oauth2',
        token_url: this.server?.url('/token') ?? '',
        client_id: 'events',
        client_auth: 'body',
      },
      credentials: { client_secret: secret },
    }
  }

  /** The secret is none any more, and its tokens open nothing. */
  retire(secret: string): void {
    this.secrets.delete(secret)
    this.revoke((owner) => owner === secret)
  }

  /** No token that was given so far opens anything. */
  revoke(isOf: (secret: string) => boolean = () => true): void {
    for (const [token, secret] of this.valid) if (isOf(secret)) this.valid.delete(token)
  }

  private give({ body }: Received): Answer {
    const secret = new URLSearchParams(body.toString()).get('client_secret') ?? ''
    if (!this.secrets.has(secret)) return { status: 401, body: '{"error":"invalid_client"}' }
    const asking = (this.asking.get(secret) ?? 0) + 1
    this.asking.set(secret, asking)
    this.mostAsking = Math.max(this.mostAsking, asking)
    setTimeout(() => this.asking.set(secret, (this.asking.get(secret) ?? 0) - 1), ANSWER_AFTER_MS)
    const token = `t${++this.tokens}`
    this.valid.set(`Bearer ${token}`, secret)
    const answer = { access_token: token, token_type: 'Bearer', ...this.more }
    return { status: 200, body: JSON.stringify(answer), delayMs: ANSWER_AFTER_MS }
  }
}
