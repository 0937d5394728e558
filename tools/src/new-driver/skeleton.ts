import type { Names } from './names.js'
import { harnessText } from './skeleton-harness.js'
import { senderText } from './skeleton-sender.js'

/** Name of a file in the driver's folder → its text. */
export type Skeleton = Readonly<Record<string, string>>

/**
 * A driver that builds and connects through the network, and does not speak its protocol yet. Its declaration passes
 * the suite for all drivers; what needs a target fails until there is one.
 */
export const skeletonOf = (names: Names): Skeleton => ({
  [`${names.folder}.driver.ts`]: driverText(names),
  [`${names.folder}.sender.ts`]: senderText(names),
  [`${names.folder}.outcome.ts`]: outcomeText(names),
  [`${names.folder}.int-spec.ts`]: harnessText(names),
  'setup.md': guideText(names),
  'icon.svg': ICON,
})

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#1f2937" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M3 12h11"/><path d="m10 8 4 4-4 4"/><rect x="17" y="5" width="4" height="14" rx="1"/></svg>
`

const guideText = ({ label }: Names): string => `Each event goes to ${label}.

1. Say here, step by step and with the vendor's commands, what the tenant sets up and which value goes into which field.
2. Say how to try it without this service.

Say what arrives, what counts as delivered, what is tried again, and how repeats are recognised.

### See it arrive

Say how the tenant reads a test event with the vendor's own client.
`

const driverText = ({ type, folder, identifier, className, label }: Names): string => `
import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { hostPort, readHostPort, secret } from '../fields.js'
import type { Address } from '../network/network.js'
import { ${className}Sender } from './${folder}.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from \`src\` or from \`dist\`. */
const asset = (name: string): string =>
  readFileSync(new URL(\`../../src/${folder}/\${name}\`, import.meta.url), 'utf8')

/** Of a field that \`hostPort\` accepted. */
function addressOf(server: string): Address {
  const address = readHostPort(server)
  if (address === null) throw new Error('the server was not validated')
  return address
}

/** What is sent, and by which protocol; name its specification here. */
export const ${identifier} = defineDriver({
  type: '${type}',
  label: '${label}',
  description: 'Sends each event to ${label}.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server: hostPort({
      label: 'Server',
      description: 'Name and port of the server, such as server.example.com:1234.',
    }),
  },
  credentials: {
    token: secret({
      label: 'Token',
      description: 'Token that the server wants to see.',
    }),
  },
  target: ({ server }) => ({ target: server, targetUrl: null }),
  addresses: ({ config }) => [{ path: 'config.server', ...addressOf(config.server) }],
  open: ({ config, credentials }, { network }) =>
    new ${className}Sender(addressOf(config.server), credentials.token, network),
})
`

const outcomeText = ({ className }: Names): string => `
import type { Code, Outcome } from '@barnabas/domain'
import { failedWith, outcomeOfError } from '../outcomes.js'

/** What the protocol's own codes mean; name their specification here. Texts of messages are no codes. */
const CODES: Readonly<Record<string, Code>> = {
  NOT_AUTHORIZED: 'credentials_rejected',
}

/** The outcome of an event that the target did not take. */
export function outcomeOf${className}Error(error: unknown): Outcome {
  const code = codeOf(error)
  const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined
  return known === undefined ? outcomeOfError(error) : failedWith(known)
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
`
