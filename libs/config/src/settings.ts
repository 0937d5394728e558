import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Field } from './fields.js'

/** The settings of an app: name in the environment → how it is read. */
export type Table = Readonly<Record<string, Field<unknown>>>

/** What reading a table gives. */
export type SettingsOf<T extends Table> = {
  readonly [Name in keyof T]: T[Name] extends Field<infer Value> ? Value : never
}

export type Environment = Readonly<Record<string, string | undefined>>

export type ReadResult<T extends Table> =
  | { readonly ok: true; readonly settings: SettingsOf<T> }
  | { readonly ok: false; readonly problems: readonly string[] }

/** A rule over several settings: a sentence that names them all, or null when they agree. */
export type CrossCheck<T extends Table> = (settings: SettingsOf<T>) => string | null

/** Reads all settings and reports every mistake together. An empty text counts as not given. */
export function readSettings<T extends Table>(
  table: T,
  environment: Environment,
  crossChecks: readonly CrossCheck<T>[] = [],
): ReadResult<T> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(table)) {
    const raw = environment[name]?.trim()
    if (raw === undefined || raw === '') {
      if (field.fallback) values[name] = field.fallback.value
      else problems.push(`${name} is not set: give ${field.expected}. ${field.about}`)
      continue
    }
    const read = field.read(raw)
    if (read.ok) values[name] = read.value
    else
      problems.push(
        `${name} is ${field.isSecret ? 'not valid' : `"${raw}"`}: give ${field.expected}. ${field.about}`,
      )
  }
  if (problems.length > 0) return { ok: false, problems }
  const settings = values as SettingsOf<T>
  const contradictions = crossChecks.map((check) => check(settings)).filter((sentence) => sentence !== null)
  return contradictions.length > 0 ? { ok: false, problems: contradictions } : { ok: true, settings }
}

/**
 * The process's environment over the `.env` file of the working folder (the environment wins). The only place
 * besides tools where the environment is read.
 */
export function readEnvironment(file = '.env'): Environment {
  let fromFile: Environment
  try {
    fromFile = parseEnv(readFileSync(file, 'utf8'))
  } catch {
    fromFile = {}
  }
  return { ...fromFile, ...process.env }
}

/** Reads the settings of an app that is starting, or ends the process with all mistakes on standard error. */
export function loadSettings<T extends Table>(
  table: T,
  crossChecks: readonly CrossCheck<T>[] = [],
): SettingsOf<T> {
  const read = readSettings(table, readEnvironment(), crossChecks)
  if (read.ok) return read.settings
  process.stderr.write(`${describeProblems(read.problems)}\n`)
  process.exit(1)
}

export const describeProblems = (problems: readonly string[]): string =>
  ['The settings are not usable:', ...problems.map((problem) => `  - ${problem}`)].join('\n')

/** One line per setting as it is in force; of secrets only whether they are set. */
export function printSettings(table: Table, environment: Environment): string {
  const lines = Object.entries(table).map(([name, field]) => {
    const given = environment[name]
    if (field.isSecret) return `${name}=${given ? '(set)' : '(not set)'}`
    return `${name}=${given ?? field.fallback?.text ?? '(not set)'}`
  })
  return lines.join('\n')
}

/** The settings as a Markdown table. */
export function documentSettings(table: Table): string {
  const rows = Object.entries(table).map(([name, field]) => {
    const fallback = field.fallback ? `\`${field.fallback.text || 'empty'}\`` : 'required'
    return `| \`${name}\` | ${field.expected} | ${fallback} | ${field.about} |`
  })
  return ['| Setting | Value | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
}
