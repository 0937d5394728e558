/** An answer of the API, parsed where it is JSON; `text` are its characters as they came. */
export interface Answer<Body> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Body
}

export interface Page<Model> {
  readonly models: Model[]
  readonly pagination: { readonly next: string | null; readonly prev: string | null; readonly limit: number }
}

export interface ErrorBody {
  readonly status: number
  readonly message: string
  readonly data?: unknown
  readonly code: string
}

export interface Published {
  readonly id: string
  readonly duplicate: boolean
  readonly destination_ids: string[]
}

export interface Destination {
  readonly id: string
  readonly type: string
  readonly topics: string[] | '*'
  readonly filter: unknown
  readonly config: { readonly url: string }
  readonly credentials: { readonly secret: string }
  readonly disabled_at: string | null
  readonly disabled_reason: string | null
}

export interface LoggedEvent {
  readonly id: string
  readonly tenant_id: string
  readonly topic: string
  readonly matched_destination_ids: string[]
  /** Shown for one event; a list has the count alone. */
  readonly filtered?: { destination_id: string; rule: string; expected: unknown; actual?: unknown }[]
  readonly filtered_count: number
  readonly metadata: Record<string, string> | null
  readonly data: unknown
}

export interface Attempt {
  readonly id: string
  readonly status: 'success' | 'failed'
  readonly time: string
  readonly code: string
  readonly attempt_number: number
  readonly event_id: string
  readonly destination_id: string
  /** When the next attempt is due; null when none follows. */
  readonly next_attempt_at: string | null
  readonly response_data?: { readonly status_code: number; readonly body: string } | null
}

export interface DeadLetter {
  readonly id: string
  readonly event_id: string
  readonly destination_id: string
  readonly tenant_id: string
  readonly code: string
  readonly attempts: number
}

/** No request of a test takes longer, unless something hangs. */
const TIMEOUT_MS = 15_000

/** Events whose ids are kept, for the story of a test that fails. */
const KEPT_IDS = 8

/** Speaks HTTP to a gateway as any client would. */
export class Api {
  /** Of the events that were published last, the newest at the end. */
  readonly publishedIds: string[] = []

  constructor(
    readonly url: string,
    readonly key: string,
  ) {}

  get<Body>(path: string): Promise<Answer<Body>> {
    return this.send<Body>('GET', path)
  }

  post<Body>(path: string, body: object): Promise<Answer<Body>> {
    return this.send<Body>('POST', path, JSON.stringify(body))
  }

  /** `body` is sent as it is; `key` null = without one. */
  async send<Body>(
    method: string,
    path: string,
    body?: string | Buffer,
    key: string | null = this.key,
  ): Promise<Answer<Body>> {
    const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
    if (body !== undefined) headers['content-type'] = 'application/json'
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, text, body: parse(text) as Body }
  }

  /** Publishes and returns the answer; throws when it is not 202. */
  async publish(event: object): Promise<Published> {
    const answer = await this.post<Published>('/publish', event)
    if (answer.status !== 202) throw new Error(`publish answered ${answer.status}: ${answer.text}`)
    this.publishedIds.push(answer.body.id)
    if (this.publishedIds.length > KEPT_IDS) this.publishedIds.shift()
    return answer.body
  }

  /** All attempts that the log has, by the given filter, oldest first, over all pages. */
  attempts(query: string): Promise<Attempt[]> {
    return this.all<Attempt>('/attempts', `${query}&dir=asc`)
  }

  deadLetters(query: string): Promise<DeadLetter[]> {
    return this.all<DeadLetter>('/dead-letters', query)
  }

  async all<Model>(path: string, query: string): Promise<Model[]> {
    const models: Model[] = []
    let cursor = ''
    do {
      const answer = await this.get<Page<Model>>(`${path}?${query}&limit=1000${cursor}`)
      if (answer.status !== 200) throw new Error(`${path}?${query} answered ${answer.status}: ${answer.text}`)
      models.push(...answer.body.models)
      const { next } = answer.body.pagination
      cursor = next === null ? '' : `&next=${encodeURIComponent(next)}`
    } while (cursor !== '')
    return models
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
