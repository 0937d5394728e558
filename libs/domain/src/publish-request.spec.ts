import { describe, expect, it } from '@jest/globals'
import { readPublishRequest } from './publish-request.js'

const read = (body: unknown) =>
  readPublishRequest(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))
const problemsOf = (body: unknown): string[] => {
  const result = read(body)
  return result.ok ? [] : result.failure.map(({ path, message }) => `${path}: ${message}`)
}

describe('readPublishRequest', () => {
  it('keeps the payload as it stood there', () => {
    const result = read('{"tenant_id":"acme","data":{"n":9007199254740993,  "b":1,"a":2}}')
    expect(result.ok && result.value.payload.toString()).toBe('{"n":9007199254740993,  "b":1,"a":2}')
  })

  it('fills defaults in', () => {
    const result = read({ tenant_id: 'acme', data: {} })
    expect(result.ok && result.value).toMatchObject({
      id: null,
      topic: '',
      time: null,
      isEligibleForRetry: true,
      destinationId: null,
      metadata: {},
    })
  })

  it('names every mistake with its path', () => {
    const paths = problemsOf({
      id: 'has space',
      tenant_id: 7,
      topic: 'line\nend',
      time: 'yesterday',
      eligible_for_retry: 'yes',
      metadata: { 'bad name': 'x', ok: 1, crlf: 'a\r\nb' },
      data: [],
      extra: true,
    }).map((problem) => problem.split(':')[0])
    expect(paths.sort()).toEqual(
      [
        'data',
        'eligible_for_retry',
        'extra',
        'id',
        'metadata.bad name',
        'metadata.crlf',
        'metadata.ok',
        'tenant_id',
        'time',
        'topic',
      ].sort(),
    )
  })

  it.each([
    ['no JSON', '{', ': must be valid JSON'],
    ['an array', [], ': must be a JSON object'],
    ['null', null, ': must be a JSON object'],
    ['no tenant', { data: {} }, 'tenant_id: is required'],
    ['no data', { tenant_id: 'a' }, 'data: is required'],
    [
      'an id that is too long',
      { tenant_id: 'a', data: {}, id: 'x'.repeat(256) },
      'id: must have at most 255 characters',
    ],
    [
      'a time without a zone',
      { tenant_id: 'a', data: {}, time: '2026-01-15T10:30:00' },
      'time: must be an RFC 3339',
    ],
  ])('refuses %s', (_name, body, problem) => {
    expect(problemsOf(body)).toEqual([expect.stringContaining(problem)])
  })

  it('refuses metadata that would not fit into headers', () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`m${index}`, 'x'.repeat(1_000)]),
    )
    expect(problemsOf({ tenant_id: 'a', data: {}, metadata })).toEqual([
      'metadata: must not exceed 16384 bytes',
    ])
  })

  it('pollutes no prototype', () => {
    const result = read('{"tenant_id":"a","metadata":{"__proto__":"x"},"data":{"__proto__":{"polluted":1}}}')
    expect(result.ok).toBe(true)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})
