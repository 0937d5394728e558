import { readFileSync } from 'node:fs'

/** As much of a log as tells why a server ended at once. */
const LOG_CHARACTERS = 2_000

/** The end of a server's log, for the problem that tells of its failed start: the file goes with its folder. */
export function logTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-LOG_CHARACTERS).trim() || '(its log is empty)'
  } catch {
    return '(it has no log)'
  }
}
