// Checks that the lockfile names every optional package that a locked one asks for. Registry mirrors may lack a
// package of a foreign platform on the day of its release: npm install then succeeds, and npm ci fails elsewhere.
import { readFileSync } from 'node:fs'

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))

/** A dependency is found where Node would look: in the package's own folder or in one above it. */
function isLocked(path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (packages[`${folder}${folder ? '/' : ''}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}

const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
  Object.keys(optionalDependencies)
    .filter((name) => !isLocked(path, name))
    .map((name) => `${path || 'package.json'} asks for ${name}`),
)
const hosts = Object.entries(packages).filter(([, { resolved }]) => /^https?:/.test(resolved ?? ''))
for (const line of missing) process.stderr.write(`package-lock.json lacks an optional package: ${line}\n`)
for (const [path] of hosts) process.stderr.write(`package-lock.json names a registry host for ${path}\n`)
process.exit(missing.length + hosts.length > 0 ? 1 : 0)
