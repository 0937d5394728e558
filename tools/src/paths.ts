import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. This file lies two folders below it, whether compiled (`tools/dist`) or not (`tools/src`). */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export const guardProgram = join(root, 'tools', 'guard.mjs')

/** Downloads that survive the checkout. */
export const cacheDir = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'barnabas')
