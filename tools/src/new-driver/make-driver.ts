import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '../problem.js'
import { namesOf, type Names } from './names.js'
import { skeletonOf } from './skeleton.js'

/**
 * Makes the skeleton of a driver in a checkout and registers it. Returns the files that it wrote, from the checkout's
 * root. Throws a `Problem`, before it writes anything, when the type cannot be named so or exists.
 */
export async function makeDriver(root: string, type: string | undefined): Promise<readonly string[]> {
  const names = namesOf(type)
  const folder = join('libs', 'drivers', 'src', names.folder)
  const registry = join('libs', 'drivers', 'src', 'registry.ts')
  if (existsSync(join(root, folder))) throw new Problem(`${folder} exists already.`)
  const texts = new Map(
    Object.entries(skeletonOf(names)).map(([name, text]) => [join(folder, name), text.trimStart()]),
  )
  texts.set(registry, registered(readFileSync(join(root, registry), 'utf8'), names))
  mkdirSync(join(root, folder))
  for (const [path, text] of texts) writeFileSync(join(root, path), await formatted(root, path, text))
  return [...texts.keys()]
}

const DRIVERS = /(export const drivers: readonly Driver\[\] = \[)([^\]]*)\]/

/** The registry with one import and one entry more. */
export function registered(text: string, { folder, identifier }: Names): string {
  const lines = text.split('\n')
  const last = lines.findLastIndex((line) => line.startsWith('import '))
  const list = DRIVERS.exec(text)?.[2]
  if (last < 0 || list === undefined)
    throw new Problem('registry.ts has no longer the form that is known here.')
  const imports = [
    ...lines.slice(0, last + 1),
    `import { ${identifier} } from './${folder}/${folder}.driver.js'`,
  ]
  const entries = list.trim().replace(/,$/, '')
  return [...imports, ...lines.slice(last + 1)]
    .join('\n')
    .replace(DRIVERS, (_all, head: string) => `${head}${entries}, ${identifier}]`)
}

/** As `npm run format` would write it. */
async function formatted(root: string, path: string, text: string): Promise<string> {
  if (path.endsWith('.svg')) return text
  const { format, resolveConfig } = await import('prettier')
  const filepath = join(root, path)
  return format(text, { ...(await resolveConfig(filepath)), filepath })
}
