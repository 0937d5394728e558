import type { HttpResponse } from './http-target.js'

const STAND_IN = '********'
/** Shorter texts stand in many answers by chance, and guard nothing. */
const MIN_CHARACTERS = 8

/** What is looked for in answers: long enough, and longer ones first, as one may hold another. */
export const hiddenIn = (secrets: readonly string[]): readonly string[] =>
  secrets.filter((one) => one.length >= MIN_CHARACTERS).sort((a, b) => b.length - a.length)

/**
 * An answer without what the request proved itself with: a target that sends back what it got, as servers for tests
 * do, must not bring a credential into the log of attempts. Texts that the target changed first are not recognised.
 * `hidden`: as `hiddenIn` gives them.
 */
export function withoutSecrets(response: HttpResponse, hidden: readonly string[]): HttpResponse {
  if (hidden.length === 0) return response
  const headers = Object.entries(response.headers).map(
    ([name, value]) => [name, hidden.reduce((text, one) => text.replaceAll(one, STAND_IN), value)] as const,
  )
  return { ...response, headers: Object.fromEntries(headers), body: cleaned(response, hidden) }
}

/** Bytes stay bytes: latin1 has a character for each. */
function cleaned({ body, isBodyCut }: HttpResponse, hidden: readonly string[]): Buffer {
  if (!isBodyCut && !hidden.some((one) => body.includes(one))) return body
  const needles = hidden.map((one) => Buffer.from(one).toString('latin1'))
  const without = needles.reduce((rest, one) => rest.replaceAll(one, STAND_IN), body.toString('latin1'))
  return Buffer.from(isBodyCut ? withoutBeginnings(without, needles) : without, 'latin1')
}

/** Where the answer was cut there may be the first part of one. */
function withoutBeginnings(text: string, needles: readonly string[]): string {
  for (const one of needles)
    for (let length = one.length - 1; length >= MIN_CHARACTERS; length--)
      if (text.endsWith(one.slice(0, length))) return text.slice(0, -length)
  return text
}
