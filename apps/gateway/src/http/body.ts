import { ApiError } from './api-error.js'

/** A request's body: the bytes as they came, and what they say. */
export interface Body {
  readonly bytes: Buffer
  readonly json: unknown
}

/** Parses a body once; 400 when it is no JSON. An absent body is an empty object. */
export function parseBody(given: Buffer | undefined): Body {
  const bytes = given ?? Buffer.alloc(0)
  if (bytes.length === 0) return { bytes, json: {} }
  try {
    return { bytes, json: JSON.parse(bytes.toString('utf8')) as unknown }
  } catch {
    throw new ApiError(400, 'invalid_json', 'the body is not valid JSON')
  }
}
