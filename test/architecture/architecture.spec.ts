import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from '@jest/globals'

/** Without code, the file itself is linted. */
interface Case {
  readonly name: string
  readonly file: string
  readonly code?: string
  readonly rule: string
}

const arrow = (from: string, to: string): Case => ({
  name: `${from} → ${to}`,
  file: `${from}/src/piece.ts`,
  code: `import { x } from '${to}'\n\nexport const y = x\n`,
  rule: 'import-x/no-restricted-paths',
})

const ours = (...names: string[]): string[] => names.map((name) => `@barnabas/${name}`)

const ARROWS: Readonly<Record<string, string[]>> = {
  'libs/domain': ours('drivers', 'kafka', 'storage', 'telemetry', 'config', 'testing'),
  'libs/drivers': ours('kafka', 'storage', 'telemetry', 'config', 'testing'),
  'libs/kafka': ours('drivers', 'storage', 'telemetry', 'config', 'testing'),
  'libs/storage': ours('drivers', 'kafka', 'telemetry', 'config', 'testing'),
  'libs/telemetry': ours('domain', 'kafka', 'config', 'testing'),
  'libs/config': ours('domain', 'kafka', 'telemetry', 'testing'),
  'apps/gateway': [...ours('testing'), '../../router/src/route-event.js'],
  'apps/router': [...ours('testing'), '../../gateway/src/main.js'],
  'apps/dispatcher': [...ours('testing'), '../../router/src/route-event.js'],
  'apps/retrier': [...ours('testing'), '../../dispatcher/src/lanes.js'],
  'apps/recorder': [...ours('testing'), '../../retrier/src/release-due.js'],
}

const imports = (file: string, name: string): Case => ({
  name: `${file} uses ${name}`,
  file,
  code: `import { x } from '${name}'\n\nexport const y = x\n`,
  rule: 'no-restricted-imports',
})

const cases: Case[] = [
  ...Object.entries(ARROWS).flatMap(([from, targets]) => targets.map((to) => arrow(from, to))),
  imports('apps/router/src/piece.ts', 'kafkajs'),
  imports('apps/recorder/src/piece.ts', 'typeorm'),
  imports('apps/dispatcher/src/piece.ts', 'undici'),
  imports('libs/domain/src/piece.ts', 'pg'),
  imports('libs/kafka/src/piece.ts', 'typeorm'),
  imports('libs/storage/src/piece.ts', 'kafkajs'),
  imports('libs/drivers/src/piece.ts', 'kafkajs'),
  ...['@aws-sdk/client-sqs', 'nodemailer', 'mqtt'].map((name) => ({
    ...imports('libs/drivers/src/piece.ts', name),
    rule: '@typescript-eslint/no-restricted-imports',
  })),
  { name: 'a cycle', file: 'test/architecture/fixtures/cycle-a.ts', rule: 'import-x/no-cycle' },
  {
    name: 'the environment outside of libs/config',
    file: 'apps/router/src/piece.ts',
    code: "export const key = process.env['KEY']\n",
    rule: 'no-restricted-syntax',
  },
  {
    name: 'an enum',
    file: 'libs/domain/src/piece.ts',
    code: 'export enum E {\n  A,\n}\n',
    rule: 'no-restricted-syntax',
  },
  {
    name: 'a default export',
    file: 'libs/domain/src/piece.ts',
    code: 'export default 1\n',
    rule: 'import-x/no-default-export',
  },
  {
    name: 'a file that is too long',
    file: 'libs/domain/src/piece.ts',
    code: 'export const x = [\n'.concat('  1,\n'.repeat(400), ']\n'),
    rule: 'max-lines',
  },
  {
    name: 'a note of unfinished work',
    file: 'libs/domain/src/piece.ts',
    code: `// ${'TO'}DO: later\nexport const x = 1\n`,
    rule: 'no-warning-comments',
  },
]

const allowed: Case[] = [
  { ...arrow('libs/kafka', '@barnabas/domain'), rule: '' },
  { ...arrow('apps/router', '@barnabas/kafka'), rule: '' },
  { ...arrow('libs/testing', '@barnabas/drivers'), rule: '' },
]

describe('ESLint reports', () => {
  let answers: string[][] = []

  beforeAll(() => {
    const program = fileURLToPath(new URL('lint-cases.mjs', import.meta.url))
    const input = JSON.stringify([...cases, ...allowed])
    const { stdout, stderr } = spawnSync(process.execPath, [program], { input, encoding: 'utf8' })
    if (stdout === '') throw new Error(stderr)
    answers = JSON.parse(stdout) as string[][]
  }, 60_000)

  it.each(cases.map(({ name, rule }, index) => [name, rule, index] as const))(
    '%s (%s)',
    (_name, rule, index) => {
      expect(answers[index]).toEqual(expect.arrayContaining([expect.stringMatching(new RegExp(`^${rule}:`))]))
    },
  )

  it.each(allowed.map(({ name }, index) => [name, index] as const))('nothing about %s', (_name, index) => {
    expect(answers[cases.length + index]).toEqual([])
  })
})
