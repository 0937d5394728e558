import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import { HttpTarget, type HttpResponse } from '../http/http-target.js'
import type { Network } from '../network/network.js'
import { failedWith, outcomeOfError } from '../outcomes.js'
import {
  openSchema,
  SCHEMA_TYPES,
  type Encoded,
  type RegisteredSchema,
  type SchemaEncoder,
  type SchemaType,
} from './kafka.schema.js'
import { JudgedError } from './kafka.outcome.js'

export interface RegistrySettings {
  /** Base URL of the API that Confluent's registry has. */
  readonly url: string
  readonly subject: string
  /** Undefined: the registry lets everybody read. */
  readonly login: { readonly username: string; readonly password: string } | undefined
}

/** How long a newer version of the schema may go unnoticed. Chosen, not measured. */
const MAX_AGE_MS = 60_000
const REQUEST_TIMEOUT_MS = 10_000
/** Schemas with their references; Confluent's registry takes at most 1 MiB too. */
const MAX_RESPONSE_BYTES = 1024 * 1024
const MAX_REFERENCES = 50

interface Kept {
  readonly schema: Result<SchemaEncoder, Outcome>
  readonly id: number
  readonly atMs: number
}

interface Reference {
  readonly subject: string
  readonly version: number
}

interface Answer {
  readonly id: number
  readonly type: SchemaType
  readonly text: string
  readonly references: readonly Reference[]
}

/**
 * Encodes payloads by the latest schema of one subject. While the registry is away the schema that is known stays in
 * use: what has been registered never changes. Safe for concurrent use.
 */
export class SchemaRegistry {
  private readonly target: HttpTarget
  private readonly basePath: string
  private kept: Kept | null = null
  private asking: Promise<Kept> | null = null

  constructor(
    private readonly settings: RegistrySettings,
    network: Network,
    private readonly nowMs: () => number = Date.now,
    private readonly limitMs = REQUEST_TIMEOUT_MS,
  ) {
    this.target = new HttpTarget(settings.url, network, { maxResponseBytes: MAX_RESPONSE_BYTES })
    this.basePath = new URL(settings.url).pathname.replace(/\/+$/, '')
  }

  async encode(payload: Buffer): Promise<Result<Encoded, Outcome>> {
    try {
      const { schema } = await this.latest()
      return schema.ok ? schema.value.encode(payload) : schema
    } catch (error) {
      if (error instanceof JudgedError) return failed(error.outcome)
      throw error
    }
  }

  close(): Promise<void> {
    return this.target.close()
  }

  private async latest(): Promise<Kept> {
    const { kept } = this
    if (kept && this.nowMs() - kept.atMs < MAX_AGE_MS) return kept
    this.asking ??= this.ask().finally(() => (this.asking = null))
    try {
      this.kept = await this.asking
    } catch (error) {
      if (!kept || !(error instanceof JudgedError) || error.outcome.kind !== 'retryable') throw error
      this.kept = { ...kept, atMs: this.nowMs() }
    }
    return this.kept
  }

  private async ask(): Promise<Kept> {
    const { subject } = this.settings
    const answer = await this.read(`/subjects/${encodeURIComponent(subject)}/versions/latest`)
    const atMs = this.nowMs()
    if (answer.id === this.kept?.id) return { ...this.kept, atMs }
    const references = await this.readAll(answer.references)
    const schema: RegisteredSchema = { ...answer, references }
    return { schema: await openSchema(schema), id: answer.id, atMs }
  }

  /** What is referred to, directly or not, each once; what the others need comes first. */
  private async readAll(references: readonly Reference[], seen = new Set<string>()): Promise<string[]> {
    const texts: string[] = []
    for (const { subject, version } of references) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
      if (seen.has(path)) continue
      if (seen.size >= MAX_REFERENCES)
        throw new JudgedError(failedWith('invalid_settings', 'The schema refers to too many others.'))
      seen.add(path)
      const answer = await this.read(path)
      texts.push(...(await this.readAll(answer.references, seen)), answer.text)
    }
    return texts
  }

  private async read(path: string): Promise<Answer> {
    const { login } = this.settings
    const headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(login ? { authorization: `Basic ${basic(login)}` } : {}),
    }
    const signal = AbortSignal.timeout(this.limitMs)
    const response = await this.target
      .request({ method: 'GET', path: `${this.basePath}${path}`, headers }, signal)
      .catch((error: unknown) => {
        throw new JudgedError(outcomeOfError(error))
      })
    const answer = readAnswer(response, signal)
    if (!answer.ok) throw new JudgedError(answer.failure)
    return answer.value
  }
}

const CUT_OFF = 'The answer of the schema registry was not complete in time, or broke off.'

const basic = ({ username, password }: { username: string; password: string }): string =>
  Buffer.from(`${username}:${password}`).toString('base64')

function readAnswer(response: HttpResponse, signal: AbortSignal): Result<Answer, Outcome> {
  const { status, body, isBodyCut } = response
  if (status !== 200) return failed(outcomeOfStatus(status))
  if (isBodyCut && body.length >= MAX_RESPONSE_BYTES)
    return failed(failedWith('invalid_settings', 'The schema is too large.'))
  if (isBodyCut) return failed(failedWith(signal.aborted ? 'timeout' : 'connection_reset', CUT_OFF))
  try {
    const answer = answerOf(JSON.parse(body.toString('utf8')))
    if (answer) return ok(answer)
  } catch {
    // No JSON: no schema registry.
  }
  return failed(failedWith('protocol_error', 'What answers at the URL of the schema registry is none.'))
}

function answerOf(json: unknown): Answer | null {
  if (typeof json !== 'object' || json === null) return null
  const { id, schema: text, schemaType = 'AVRO', references } = json as Record<string, unknown>
  const type = SCHEMA_TYPES.find((one) => one === schemaType)
  if (typeof id !== 'number' || typeof text !== 'string' || !type) return null
  return { id, type, text, references: Array.isArray(references) ? references.flatMap(referenceOf) : [] }
}

function referenceOf(json: unknown): Reference[] {
  const { subject, version } = (json ?? {}) as Record<string, unknown>
  return typeof subject === 'string' && typeof version === 'number' ? [{ subject, version }] : []
}

function outcomeOfStatus(status: number): Outcome {
  switch (status) {
    case 401:
    case 403:
      return failedWith('credentials_rejected', `The schema registry refused the credentials with ${status}.`)
    case 404:
      return failedWith('target_not_found', 'The schema registry does not have the subject.')
    case 429:
      return failedWith('throttled')
    default:
      return failedWith('target_failed', `The schema registry answered ${status}.`)
  }
}
