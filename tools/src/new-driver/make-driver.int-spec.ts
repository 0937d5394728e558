import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { root } from '../paths.js'
import { throwawayFolder } from '../services/throwaway.js'
import { makeDriver } from './make-driver.js'

const LIBS = ['domain', 'drivers', 'testing']
const FILES = ['package.json', 'tsconfig.base.json', 'eslint.config.mjs', '.prettierrc.json']
const FOLDER = 'libs/drivers/src/acme-queue'
const REGISTRY = 'libs/drivers/src/registry.ts'
/** Compilers on a busy machine. */
const LIMIT_MS = 240_000

/** What of the suite for all drivers holds without a target. */
const PASSES = [
  'accepts valid settings and completes what may be left out',
  'refuses a wrong config.server with its path',
  'refuses a wrong config.colour with its path',
  'refuses a wrong credentials.token with its path',
  'masks every secret',
  'answers retryable when the target cannot be reached',
]

interface JestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[]
  }[]
}

describe('npm run new-driver', () => {
  const copy = throwawayFolder('new-driver')
  let files: readonly string[] = []

  /** A program of node_modules, run in the copy. */
  const run = (program: string, ...options: string[]) => {
    const path = join(root, 'node_modules', ...program.split('/'))
    const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, path, ...options], {
      cwd: copy,
      encoding: 'utf8',
    })
    return { status, output: stdout + stderr }
  }

  /** A file of the repository, changed for the copy. */
  const write = (file: string, change: (text: string) => string): void =>
    writeFileSync(join(copy, file), change(readFileSync(join(root, file), 'utf8')))

  beforeAll(async () => {
    for (const file of FILES) cpSync(join(root, file), join(copy, file))
    for (const lib of LIBS)
      cpSync(join(root, 'libs', lib), join(copy, 'libs', lib), {
        recursive: true,
        filter: (path) => !path.includes(`${sep}dist`),
      })
    // The programs of the other drivers' tests are not in the copy.
    write('tsconfig.specs.json', (text) => {
      const settings = JSON.parse(text) as { include: string[] }
      return JSON.stringify({ ...settings, include: [`${FOLDER}/**/*.ts`, REGISTRY] })
    })
    write('jest.config.mjs', (text) => text.replaceAll(/^.*'<rootDir>\/(?!libs)[^*\n]*',\n/gm, ''))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    files = await makeDriver(copy, 'acme_queue')
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it('writes what a driver consists of, and registers it', () => {
    expect(files.map((file) => file.split(sep).at(-1)).sort()).toEqual([
      'acme-queue.driver.ts',
      'acme-queue.int-spec.ts',
      'acme-queue.outcome.ts',
      'acme-queue.sender.ts',
      'icon.svg',
      'registry.ts',
      'setup.md',
    ])
    expect(readFileSync(join(copy, REGISTRY), 'utf8')).toMatch(/acmeQueue,?\s*\]/)
  })

  it('never overwrites a driver', async () => {
    await expect(makeDriver(copy, 'acme_queue')).rejects.toThrow('exists already')
    await expect(makeDriver(copy, 'webhook')).rejects.toThrow('exists already')
  })

  it(
    'writes in the format, the types and the rules of the repository',
    () => {
      expect(
        run('prettier/bin/prettier.cjs', '--check', ...files.filter((file) => !file.endsWith('.svg'))),
      ).toMatchObject({ status: 0 })
      expect(run('typescript/bin/tsc', '-p', 'tsconfig.specs.json')).toEqual({ status: 0, output: '' })
      const linted = run('eslint/bin/eslint.js', FOLDER, REGISTRY, '--max-warnings', '0')
      expect(linted).toEqual({ status: 0, output: '' })
    },
    LIMIT_MS,
  )

  it(
    'leaves open only what needs the target',
    () => {
      run('jest/bin/jest.js', '--selectProjects', 'int', '--json', '--outputFile', 'report.json', FOLDER)
      const report = JSON.parse(readFileSync(join(copy, 'report.json'), 'utf8')) as JestReport
      const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
      const passed = tests.filter(({ status }) => status === 'passed').map(({ title }) => title)
      expect(passed).toEqual(PASSES)
      expect(tests.length).toBeGreaterThan(passed.length)
    },
    LIMIT_MS,
  )
})
