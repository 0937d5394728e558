import {
  compileTopicPattern,
  readPublishBody,
  type DestinationEntry,
  type EventDraft,
  type Problem,
} from '@barnabas/domain'
import { validationFailed } from '../http/api-error.js'
import type { Body } from '../http/body.js'
import { isObject } from '../json-input.js'

const MEMBERS = ['topic', 'data', 'metadata']
/** For destinations that take every topic. */
const ANY_TOPIC = 'test'

/**
 * What a test sends: topic, data and metadata as given, or an event that says what it is, under a topic that the
 * destination selects. Throws 422 with every mistake.
 */
export function readTestEvent(
  { json, bytes }: Body,
  destination: DestinationEntry,
  knownTopics: readonly string[],
): EventDraft {
  if (!isObject(json)) throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  const problems: Problem[] = Object.keys(json)
    .filter((name) => !MEMBERS.includes(name))
    .map((path) => ({ path, message: 'is not a member of a test event' }))
  const { topic: givenTopic, metadata, data = {} } = json
  const read = readPublishBody({ tenant_id: destination.tenantId, topic: givenTopic, metadata, data }, bytes)
  if (!read.ok) problems.push(...read.failure)
  if (problems.length > 0 || !read.ok) throw validationFailed(problems)
  const topic = read.value.topic === '' ? topicOf(destination, knownTopics) : read.value.topic
  const payload = json['data'] === undefined ? explanation(destination) : read.value.payload
  return { ...read.value, topic, payload, isEligibleForRetry: false }
}

/** The first topic that is named in full; else the first known one that a pattern selects. */
function topicOf({ topics }: DestinationEntry, knownTopics: readonly string[]): string {
  const named = topics.find((topic) => !topic.includes('*'))
  if (named !== undefined) return named
  const isSelected = topics.map(compileTopicPattern)
  const known = knownTopics.find((topic) => isSelected.some((selects) => selects(topic)))
  return known ?? topics.find((topic) => topic !== '*')?.replaceAll('*', ANY_TOPIC) ?? ANY_TOPIC
}

const explanation = ({ id }: DestinationEntry): Buffer =>
  Buffer.from(JSON.stringify({ test: true, message: 'A test event, sent on request.', destination_id: id }))
