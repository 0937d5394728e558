import { request } from 'undici'

/** An answer of the API; `body` is null when it is not JSON. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface Attempt {
  readonly event_id: string
  readonly destination_id: string
  readonly status: 'success' | 'failed'
  readonly attempt_number: number
}

export interface DeadLetter {
  readonly event_id: string
  readonly destination_id: string
  readonly code: string
}

interface Page<Model> {
  readonly models: Model[]
  readonly pagination: { readonly next: string | null }
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH'

const TIMEOUT_MS = 15_000
/** The most that the API gives at once. */
const PAGE_LIMIT = 1_000

/** Speaks HTTP to the gateway as a customer's program would. */
export class ApiClient {
  constructor(
    readonly origin: string,
    readonly key: string,
  ) {}

  /** Throws when no answer came within 15 s. */
  async send(method: Method, path: string, body?: object): Promise<Answer> {
    const answer = await request(`${this.origin}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { status: answer.statusCode, body: parse(await answer.body.text()) }
  }

  /** As `send`, and throws when the answer is no success. */
  async must(method: Method, path: string, body?: object): Promise<unknown> {
    const answer = await this.send(method, path, body)
    if (answer.status > 299)
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  attempts(tenantId: string): Promise<Attempt[]> {
    return this.all<Attempt>(`/attempts?tenant_id=${tenantId}&dir=asc`)
  }

  deadLetters(tenantId: string): Promise<DeadLetter[]> {
    return this.all<DeadLetter>(`/dead-letters?tenant_id=${tenantId}`)
  }

  /** Over all pages. */
  private async all<Model>(path: string): Promise<Model[]> {
    const models: Model[] = []
    let cursor = ''
    do {
      const page = (await this.must('GET', `${path}&limit=${PAGE_LIMIT}${cursor}`)) as Page<Model>
      for (const model of page.models) models.push(model)
      const { next } = page.pagination
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
