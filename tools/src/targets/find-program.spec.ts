import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { findProgram } from './find-program.js'

describe('findProgram', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barnabas-path-'))
  const program = join(folder, 'a-server')
  writeFileSync(program, '#!/bin/sh\n')
  chmodSync(program, 0o755)
  writeFileSync(join(folder, 'a-file'), '', { mode: 0o644 })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('finds what can be started in the folders of PATH', () => {
    expect(findProgram('a-server', `/nowhere:${folder}`)).toBe(program)
    expect(findProgram('a-server', '/nowhere')).toBeNull()
    expect(findProgram('a-file', folder)).toBeNull()
  })

  it('takes a whole path as it is', () => {
    expect(findProgram(program, '')).toBe(program)
    expect(findProgram('/nowhere/a-server', folder)).toBeNull()
  })
})
