import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { documentMetrics } from '@barnabas/telemetry'

const FILE = new URL('../../docs/metrics.md', import.meta.url)

const INTRODUCTION = `# Metrics

Each app answers \`GET /metrics\` in Prometheus's text format: router, dispatcher, retrier and recorder on their \`HEALTH_PORT\`, the gateway on its \`METRICS_PORT\`, never on the port of the API. Both ports are for operators: they ask for no key.

No label names a tenant, a destination or an event; the event log answers for those. A counter appears when it first counts, or with 0 where that tells something; a gauge when there is something to show.
`

const document = (): string => `${INTRODUCTION}\n${documentMetrics()}`

describe('docs/metrics.md', () => {
  it('says what the table says (UPDATE_DOCS=1 writes it anew)', () => {
    if (process.env['UPDATE_DOCS']) writeFileSync(FILE, document())
    expect(existsSync(FILE) && readFileSync(FILE, 'utf8')).toBe(document())
  })
})
