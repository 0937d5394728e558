import { randomUUID } from 'node:crypto'

/** A piece of JSON that goes into an answer as it is: re-writing it would lose number precision and spacing. */
export class RawJson {
  constructor(readonly text: string) {}
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The payload as a piece of JSON, or null when it is none. */
export function rawJsonOf(payload: Buffer): RawJson | null {
  try {
    const text = UTF8.decode(payload)
    JSON.parse(text)
    return new RawJson(text)
  } catch {
    return null
  }
}

/** `JSON.stringify` that puts each `RawJson` in untouched. */
export function stringifyWithRaw(value: unknown): string {
  const marker = `raw:${randomUUID()}:`
  const pieces: string[] = []
  const text = JSON.stringify(value, (_name, member: unknown) => {
    if (!(member instanceof RawJson)) return member
    pieces.push(member.text)
    return `${marker}${pieces.length - 1}`
  })
  if (pieces.length === 0) return text
  return text.replaceAll(
    new RegExp(`"${marker}(\\d+)"`, 'g'),
    (_found, index: string) => pieces[Number(index)] ?? 'null',
  )
}
