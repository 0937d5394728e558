import { compile, TreeInterpreter, type JSONValue } from '@jmespath-community/jmespath'
import { failed, ok, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from './driver.js'
import { systemMetadata } from './system-metadata.js'
import { evaluateNode, TooMuch, type TemplateNode } from './template-interpreter.js'

/** Longer ones are programs, not templates. */
export const MAX_TEMPLATE_CHARACTERS = 1_024
/** Bytes of a result unless the place where it is used allows less. */
const MAX_RESULT_BYTES = 16 * 1024

/**
 * A JMESPath expression (https://jmespath.org/specification.html) over `data`, `metadata` and `time` of an event.
 * Pure and bounded; to be compiled once per sender.
 */
export interface Template {
  /** Text, or why there is none, for the tenant: numbers and booleans become text, null and objects are failures. */
  evaluate(event: OutgoingEvent, attempt: AttemptInfo): Result<string, string>
}

/** What is wrong with a template, or null. */
export function checkTemplate(expression: string): string | null {
  const compiled = compileTemplate(expression)
  return compiled.ok ? null : compiled.failure
}

export function compileTemplate(expression: string): Result<Template, string> {
  if (expression.length > MAX_TEMPLATE_CHARACTERS)
    return failed(`must have at most ${MAX_TEMPLATE_CHARACTERS} characters`)
  if (expression.trim() === '') return failed('must be a JMESPath expression such as metadata.topic')
  const parsed = parse(expression)
  if (!parsed.ok) return parsed
  const node = parsed.value
  if (node.type === 'Literal') {
    const always = evaluate(node, null)
    return ok({ evaluate: () => always })
  }
  return ok({ evaluate: (event, attempt) => evaluate(node, contextOf(event, attempt)) })
}

/** The template of a field that was validated before. Throws when it was not. */
export function openTemplate(expression: string): Template {
  const compiled = compileTemplate(expression)
  if (!compiled.ok) throw new Error(`the template was not validated: ${compiled.failure}`)
  return compiled.value
}

function parse(expression: string): Result<TemplateNode, string> {
  try {
    const node = compile(expression)
    // The parser takes unknown functions; the names are only known when one is called.
    const known = TreeInterpreter.runtime._functionTable
    const unknown = findFunction(node, (name) => !Object.hasOwn(known, name))
    return unknown === null ? ok(node) : failed(`uses the function ${unknown}, which does not exist`)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be read'
    // The library names half of a character where a character has two.
    return failed(`must be a JMESPath expression: ${why.toWellFormed()}`)
  }
}

/** Name of the first function in the tree for which this holds. */
function findFunction(tree: unknown, holds: (name: string) => boolean): string | null {
  if (typeof tree !== 'object' || tree === null) return null
  const { type, name } = tree as { type?: unknown; name?: unknown }
  if (type === 'Literal') return null
  if (type === 'Function' && typeof name === 'string' && holds(name)) return name
  for (const child of Object.values(tree)) {
    const found = findFunction(child, holds)
    if (found !== null) return found
  }
  return null
}

function evaluate(node: TemplateNode, context: JSONValue): Result<string, string> {
  try {
    return textOf(evaluateNode(node, context))
  } catch (error) {
    if (error instanceof TooMuch) return failed('needs too many steps or too much memory for this event')
    return failed(`failed for this event: ${error instanceof Error ? error.message : 'no reason given'}`)
  }
}

function textOf(value: JSONValue): Result<string, string> {
  if (value === null) return failed('gives nothing for this event')
  if (typeof value === 'object') return failed('gives an array or object for this event, not text')
  const text = String(value)
  if (text === '') return failed('gives an empty text for this event')
  const bytes = Buffer.byteLength(text)
  return bytes > MAX_RESULT_BYTES ? failed(`gives ${bytes} bytes for this event, too many`) : ok(text)
}

/** Names as in the reference contract's `*_template` fields. A payload that is no JSON has no `data`. */
function contextOf(event: OutgoingEvent, attempt: AttemptInfo): JSONValue {
  let data: JSONValue | undefined
  // Each is made when it is asked for: most templates look at one of them, and reading times takes longest.
  return {
    get data(): JSONValue {
      data ??= parseJson(event.payload)
      return data
    },
    get metadata(): JSONValue {
      const timestamp = unixSecondsOf(new Date(event.meta.time))
      return { ...event.meta.metadata, ...systemMetadata(event, attempt), timestamp }
    },
    get time(): JSONValue {
      return timeParts(new Date(event.meta.time))
    },
  }
}

const unixSecondsOf = (at: Date): string => String(Math.floor(at.getTime() / 1_000))

function parseJson(payload: Buffer): JSONValue {
  try {
    return JSON.parse(payload.toString('utf8')) as JSONValue
  } catch {
    return null
  }
}

/** The event's time in UTC, as texts with leading zeros. */
function timeParts(at: Date): Record<string, string> {
  const iso = at.toISOString()
  const [date = '', clock = ''] = iso.slice(0, 19).split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  const [hour = '', minute = '', second = ''] = clock.split(':')
  const rfc3339 = `${date}T${clock}Z`
  const parts = { year, month, day, hour, minute, second, date, datetime: `${date}T${clock}` }
  return { ...parts, unix: unixSecondsOf(at), rfc3339, rfc3339_nano: iso }
}
