import {
  checkId,
  checkTime,
  checkTopic,
  compileTopicPattern,
  metadataOf,
  readFilter,
  type Filter,
  type Problem,
} from '@barnabas/domain'
import { validationFailed } from '../http/api-error.js'
import { POLICY_MEMBERS, readPolicy, type PolicyPatch } from '../retries/retry-input.js'
import { readLimits, type LimitsPatch } from './limits-input.js'
import { isObject, type Json } from '../json-input.js'

/** What a request to create a destination says, checked as far as it does not depend on the type. */
export interface CreateInput {
  readonly id: string | null
  readonly type: string
  readonly topics: readonly string[]
  readonly filter: Filter | null
  readonly config: Json
  readonly credentials: Json
  readonly deliveryMetadata: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>> | null
  readonly limits: LimitsPatch | undefined
  readonly policy: PolicyPatch
  readonly disabledAt: string | null
  readonly createdAt: string | undefined
  readonly updatedAt: string | undefined
}

/** What a request to change a destination says. Undefined = stays as it is; null in a map removes the member. */
export interface PatchInput {
  readonly type: string | undefined
  readonly topics: readonly string[] | undefined
  /** Replaced as a whole; null for none. */
  readonly filter: Filter | null | undefined
  readonly config: Json | undefined
  readonly credentials: Json | undefined
  readonly deliveryMetadata: Json | null | undefined
  readonly metadata: Json | null | undefined
  readonly limits: LimitsPatch | undefined
  readonly policy: PolicyPatch
  readonly disabledAt: string | null | undefined
}

const PATCHABLE = [
  'type',
  'topics',
  'filter',
  'config',
  'credentials',
  'delivery_metadata',
  'metadata',
  'limits',
  ...POLICY_MEMBERS,
  'disabled_at',
]
const CREATABLE = [...PATCHABLE, 'id', 'created_at', 'updated_at']

/** The contract names no limit; a thousand patterns are a list, not a subscription. */
const MAX_TOPICS = 1_000

/** Reads the body of a create; throws 422 with every mistake. */
export function readCreate(body: unknown, knownTopics: readonly string[]): CreateInput {
  const { given, problems } = open(body, CREATABLE)
  const input: CreateInput = {
    id: readId(given['id'], problems),
    type: readType(given['type'], problems),
    topics: readNewTopics(given['topics'], knownTopics, problems),
    filter: readOneFilter(given['filter'], problems),
    config: readObject(given['config'], 'config', problems) ?? {},
    credentials: readObject(given['credentials'], 'credentials', problems) ?? {},
    deliveryMetadata: metadataOf(given['delivery_metadata'], problems, 'delivery_metadata'),
    metadata: isAbsent(given['metadata']) ? null : metadataOf(given['metadata'], problems),
    limits: readLimits(given['limits'], problems),
    policy: readPolicy(given, problems),
    disabledAt: readPast(given['disabled_at'], 'disabled_at', problems) ?? null,
    ...readImportedTimes(given, problems),
  }
  if (problems.length > 0) throw validationFailed(problems)
  return input
}

function readType(value: unknown, problems: Problem[]): string {
  if (typeof value === 'string' && value !== '') return value
  const isMissing = isAbsent(value) || value === ''
  problems.push({ path: 'type', message: isMissing ? 'is required' : 'must be a string' })
  return ''
}

/** Those of a new destination, which must have some. */
function readNewTopics(value: unknown, knownTopics: readonly string[], problems: Problem[]): string[] {
  if (!isAbsent(value) && value !== '') return readTopics(value, knownTopics, problems) ?? []
  problems.push({ path: 'topics', message: 'is required' })
  return []
}

/** An import from another system keeps its times. */
function readImportedTimes(given: Json, problems: Problem[]): Pick<CreateInput, 'createdAt' | 'updatedAt'> {
  return {
    createdAt: readPast(given['created_at'], 'created_at', problems) ?? undefined,
    updatedAt: readPast(given['updated_at'], 'updated_at', problems) ?? undefined,
  }
}

/** Reads the body of a change; throws 422 with every mistake. */
export function readPatch(body: unknown, knownTopics: readonly string[]): PatchInput {
  const { given, problems } = open(body, PATCHABLE)
  const type = given['type']
  if (type !== undefined && typeof type !== 'string')
    problems.push({ path: 'type', message: 'must be a string' })
  const input: PatchInput = {
    type: typeof type === 'string' ? type : undefined,
    topics: readTopics(given['topics'], knownTopics, problems),
    filter: given['filter'] === undefined ? undefined : readOneFilter(given['filter'], problems),
    config: readObject(given['config'], 'config', problems),
    credentials: readObject(given['credentials'], 'credentials', problems),
    deliveryMetadata: readMerge(given['delivery_metadata'], 'delivery_metadata', problems),
    metadata: readMerge(given['metadata'], 'metadata', problems),
    limits: readLimits(given['limits'], problems),
    policy: readPolicy(given, problems),
    disabledAt: readPast(given['disabled_at'], 'disabled_at', problems),
  }
  if (problems.length > 0) throw validationFailed(problems)
  return input
}

/** RFC 7396: null removes everything, null in a member removes that member. */
export function merge(
  current: Readonly<Record<string, string>> | null,
  patch: Json | null | undefined,
): Record<string, string> | null {
  if (patch === null) return null
  const merged = { ...current, ...patch }
  const kept = Object.entries(merged).filter((member): member is [string, string] => member[1] !== null)
  return current === null && kept.length === 0 ? null : Object.fromEntries(kept)
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null

function open(body: unknown, members: readonly string[]): { given: Json; problems: Problem[] } {
  if (!isObject(body)) throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  const unknown = Object.keys(body).filter((name) => !members.includes(name))
  return {
    given: body,
    problems: unknown.map((path) => ({ path, message: 'is not a member that can be set' })),
  }
}

function readId(value: unknown, problems: Problem[]): string | null {
  if (isAbsent(value) || value === '') return null
  const message = typeof value === 'string' ? checkId(value) : 'must be a string'
  if (message !== null) problems.push({ path: 'id', message })
  return message === null ? (value as string) : null
}

function readTopics(
  value: unknown,
  knownTopics: readonly string[],
  problems: Problem[],
): string[] | undefined {
  if (value === undefined) return undefined
  if (value === '*') return ['*']
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_TOPICS) {
    problems.push({ path: 'topics', message: `must be "*" or an array of 1 to ${MAX_TOPICS} topics` })
    return undefined
  }
  value.forEach((topic: unknown, index) => {
    const message = checkPattern(topic, knownTopics)
    if (message !== null) problems.push({ path: `topics[${index}]`, message })
  })
  return [...new Set(value as string[])]
}

function checkPattern(topic: unknown, knownTopics: readonly string[]): string | null {
  if (typeof topic !== 'string' || topic === '')
    return 'must be a topic, in which * stands for any characters'
  const message = checkTopic(topic)
  if (message !== null || knownTopics.length === 0) return message
  return knownTopics.some(compileTopicPattern(topic)) ? null : 'matches none of the configured topics'
}

function readObject(value: unknown, path: string, problems: Problem[]): Json | undefined {
  if (isAbsent(value)) return undefined
  if (isObject(value)) return value
  problems.push({ path, message: 'must be an object' })
  return undefined
}

function readMerge(value: unknown, path: string, problems: Problem[]): Json | null | undefined {
  if (isAbsent(value)) return value as null | undefined
  if (!isObject(value)) {
    problems.push({ path, message: 'must be an object of strings, or null' })
    return undefined
  }
  metadataOf(Object.fromEntries(Object.entries(value).filter((member) => member[1] !== null)), problems, path)
  return value
}

function readPast(value: unknown, path: string, problems: Problem[]): string | null | undefined {
  if (isAbsent(value)) return value as null | undefined
  const message = typeof value === 'string' ? checkTime(value) : 'must be a string'
  if (message !== null) problems.push({ path, message })
  else if (Date.parse(value as string) > Date.now())
    problems.push({ path, message: 'must not be in the future' })
  return message === null ? (value as string) : undefined
}

function readOneFilter(value: unknown, problems: Problem[]): Filter | null {
  const read = readFilter(value)
  if (read.ok) return read.value
  problems.push(...read.failure)
  return null
}
