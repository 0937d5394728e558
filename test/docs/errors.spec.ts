import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { CODES } from '@barnabas/domain'

describe('docs/errors.md', () => {
  it('explains every code that there is, and no other', () => {
    const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    const documented = [...text.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, code]) => code)
    expect(documented.sort()).toEqual(Object.keys(CODES).sort())
  })
})
