import { Problem } from '../problem.js'

/** Calls the API of a running Barnabas. */
export class Api {
  constructor(
    readonly url: string,
    private readonly key: string,
  ) {}

  /** The parsed answer. Throws a sentence for people when it is not a success. */
  async call(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.send(method, path, body)
    const text = await answer.text()
    if (!answer.ok) throw new Problem(`${method} /api/v1${path} answered ${answer.status}: ${text}`)
    return text === '' ? null : (JSON.parse(text) as unknown)
  }

  private async send(method: string, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.key}` }
    if (body) headers['content-type'] = 'application/json'
    try {
      const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers }
      return await fetch(`${this.url}/api/v1${path}`, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
    } catch {
      throw new Problem(`The API at ${this.url} does not answer: is \`npm start\` still running?`)
    }
  }
}

/** Somebody is watching: longer than this means that something is wrong. */
const TIMEOUT_MS = 10_000
