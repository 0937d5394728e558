import { readFileSync } from 'node:fs'

/** Version of this build; all packages of the repository have the same. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
