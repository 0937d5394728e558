import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { documentSettings, type Table } from '@barnabas/config'
import { dispatcherSettings } from '../../apps/dispatcher/src/dispatcher.config.js'
import { gatewaySettings } from '../../apps/gateway/src/gateway.config.js'
import { recorderSettings } from '../../apps/recorder/src/recorder.config.js'
import { retrierSettings } from '../../apps/retrier/src/retrier.config.js'
import { routerSettings } from '../../apps/router/src/router.config.js'

const FILE = new URL('../../docs/settings.md', import.meta.url)

const apps: Readonly<Record<string, Table>> = {
  gateway: gatewaySettings,
  router: routerSettings,
  dispatcher: dispatcherSettings,
  retrier: retrierSettings,
  recorder: recorderSettings,
}

const INTRODUCTION = `# Settings

Read from the environment, and from \`.env\` in the working folder where the environment has none. An app that cannot use its settings ends at once and names every mistake. \`npm start\` gives the apps what they need besides; of its own it has \`DATA_DIR\` (\`.data\`), the folder of everything that it keeps, and it makes \`API_KEY\` and \`SECRET_KEYS\` on the first start unless they are set.

Settings that several apps share must have the same value in all of them.
`

/** The document as it follows from the tables. */
function document(): string {
  const sections = Object.entries(apps).map(([app, table]) => `## ${app}\n\n${documentSettings(table)}\n`)
  return [INTRODUCTION, ...sections].join('\n')
}

describe('docs/settings.md', () => {
  it('says what the tables say (UPDATE_DOCS=1 writes it anew)', () => {
    if (process.env['UPDATE_DOCS']) writeFileSync(FILE, document())
    expect(readFileSync(FILE, 'utf8')).toBe(document())
  })
})
