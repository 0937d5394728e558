import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** Where Debian puts servers; the PATH of most users leaves them out. */
const SERVERS = ['/usr/local/sbin', '/usr/sbin']

/** The path of a program that can be started, or null. `path`: as PATH has it; `servers`: further folders. */
export function findProgram(
  name: string,
  path = process.env['PATH'] ?? '',
  servers: readonly string[] = SERVERS,
): string | null {
  const folders = isAbsolute(name) ? [''] : [...path.split(delimiter), ...servers].filter((one) => one !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
