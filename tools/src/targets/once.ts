import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { cacheDir } from '../paths.js'

const POLL_MS = 500

/**
 * A folder of the cache that is made the first time it is asked for; `build` fills the folder that it is given, which
 * gets its name when it is complete. Of several processes that ask at once, one builds and the others wait.
 */
export async function builtOnce(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheDir(), name)
  mkdirSync(cacheDir(), { recursive: true })
  while (!existsSync(folder)) {
    const unlock = lock(`${folder}.lock`)
    if (unlock === null) {
      await wait(POLL_MS)
      continue
    }
    const unfinished = `${folder}-unfinished`
    try {
      if (existsSync(folder)) continue
      // Left by a process that was killed.
      rmSync(unfinished, { recursive: true, force: true })
      mkdirSync(unfinished)
      await build(unfinished)
      renameSync(unfinished, folder)
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
      unlock()
    }
  }
  return folder
}

/** Null when a living process holds the lock; that of a dead one is taken away, to be tried for again. */
function lock(file: string): (() => void) | null {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return () => rmSync(file, { force: true })
  } catch {
    if (!isHeld(file)) rmSync(file, { force: true })
    return null
  }
}

function isHeld(file: string): boolean {
  try {
    const holder = Number(readFileSync(file, 'utf8'))
    // Empty: its writer is between making and writing it.
    return holder === 0 || process.kill(holder, 0)
  } catch {
    return false
  }
}
